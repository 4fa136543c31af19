"""The feeds API: keys, names, availability, and the way to the body."""

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

from infra.local.virustotal import errors, faults
from infra.local.virustotal.download import Downloads
from infra.local.virustotal.faults import Rule
from infra.local.virustotal.feeds import find_feed, parse_package_name
from infra.local.virustotal.simulator import Simulator
from infra.local.virustotal.tickets import Ticket
from infra.local.web import Answer, Request, Route, route

_LAG = timedelta(minutes=60)
_RETENTION = timedelta(days=7)

_HTML_429 = b"<!doctype html><title>429</title><p>Too many requests. Come back later.</p>\n"
_HTML_500 = b"<!doctype html><title>500</title><p>Server error.</p>\n"


class FeedsApi:
    """Answers `GET /api/v3/feeds/{feed}/{YYYYMMDDhhmm}`."""

    def __init__(self, simulator: Simulator, downloads: Downloads) -> None:
        self._simulator = simulator
        self._downloads = downloads

    def routes(self) -> list[Route]:
        """Return the routes of the API port."""
        return [
            route("GET", r"/api/v3/feeds/(?P<feed>[^/]+)/(?P<package>[^/]+)", self.package),
            route("GET", r"/packages/(?P<written>[^/]+)", self._downloads.same_host),
        ]

    def package(self, request: Request, feed: str, package: str) -> Answer:
        """Answer a request for one minute of one feed."""
        feed = find_feed(feed) or feed
        self._simulator.stats.remember("api", request.headers)
        answer = self._refuse(request, feed, package) or self._serve(feed, package)
        self._simulator.stats.count("api", feed, package, answer.status)
        return answer

    def _refuse(self, request: Request, feed: str, package: str) -> Answer | None:
        key = request.headers.get("x-apikey")
        if key is None:
            return errors.key_missing()
        if key not in self._simulator.keys:
            return errors.key_wrong()
        if find_feed(feed) is None:
            return errors.not_found(f"Feed {feed!r}")
        return self._refuse_package(package)

    def _refuse_package(self, package: str) -> Answer | None:
        minute = parse_package_name(package)
        if minute is None:
            return errors.bad_package(package)
        now = self._simulator.clock.now()
        if now - minute < _LAG:
            return errors.not_available_yet(package, minute + _LAG)
        # That old packages are a 404 is what a third party says; the reference gives the seven days only.
        return errors.not_found(f"Package {package}") if now - minute > _RETENTION else None

    def _serve(self, feed: str, minute: str) -> Answer:
        book = self._simulator.faults
        if rule := book.first(faults.ANSWERS, feed, minute):
            return self._faulty_answer(rule, minute)
        ticket = Ticket(feed=feed, minute=minute, rules=tuple(book.all(faults.BODIES, feed, minute)))
        way = book.first(faults.REDIRECTS, feed, minute)
        if self._simulator.modes.direct or (way and way.kind == "direct"):
            return self._downloads.deliver(ticket)
        return Answer(302, headers={"Location": self._location(ticket, way.kind if way else "")})

    def _location(self, ticket: Ticket, way: str) -> str:
        written = self._simulator.tickets.write(ticket)
        if way == "redirect_same_host":
            return f"/packages/{written}"
        folder = "loop" if way == "redirect_loop" else "packages"
        return f"{self._simulator.settings.download_url}/{folder}/{written}"

    def _faulty_answer(self, rule: Rule, minute: str) -> Answer:
        if rule.kind == "rate_limited":
            return errors.error(429, "QuotaExceededError", "Quota exceeded", self._retry_after(rule))
        return _ANSWERS[rule.kind](minute)

    def _retry_after(self, rule: Rule) -> dict[str, str]:
        if rule.retry_after is None:
            return {}
        if rule.retry_after_form == "seconds":
            return {"Retry-After": str(rule.retry_after)}
        then = self._simulator.clock.now() + timedelta(seconds=rule.retry_after)
        return {"Retry-After": format_datetime(then, usegmt=True)}


def _html(status: int, body: bytes) -> Answer:
    return Answer(status, body, {"Content-Type": "text/html; charset=utf-8"})


_ANSWERS: dict[str, Callable[[str], Answer]] = {
    "unauthorized": lambda _: errors.key_wrong(),
    "forbidden": lambda _: errors.error(403, "ForbiddenError", "This key has no licence for this feed"),
    "missing": lambda minute: errors.not_found(f"Package {minute}"),
    "rate_limited_html": lambda _: _html(429, _HTML_429),
    "unavailable": lambda _: errors.error(503, "TransientError", "Transient error, try again"),
    "deadline": lambda _: errors.error(504, "DeadlineExceededError", "The operation took too long"),
    "bad_request": lambda _: errors.error(400, "InvalidArgumentError", "Invalid argument"),
    "not_json_error": lambda _: _html(500, _HTML_500),
}
