"""The feeds API: keys, names, availability, and redirects to the body."""

from datetime import timedelta

from infra.local.virustotal import errors, faults
from infra.local.virustotal.download import SAME_BYTES, Downloads
from infra.local.virustotal.download_tokens import DownloadToken
from infra.local.virustotal.feeds import find_feed, parse_package_name
from infra.local.virustotal.refusals import refuse
from infra.local.virustotal.simulator import Simulator
from infra.local.web import Answer, Request, Route, route

_LAG = timedelta(minutes=60)
_RETENTION = timedelta(days=7)


class FeedsApi:
    """Handles `GET /api/v3/feeds/{feed}/{YYYYMMDDhhmm}`."""

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
        """Respond to a request for one minute of one feed."""
        feed = find_feed(feed) or feed
        self._simulator.stats.remember("api", request.headers)
        answer = self._refuse(request, feed, package) or self._serve(feed, package)
        self._simulator.stats.count("api", feed, package, answer.status)
        return answer

    def _refuse(self, request: Request, feed: str, package: str) -> Answer | None:
        if refused := self._simulator.refuse_key(request):
            return refused
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
        # The reference states only the seven days; the 404 for older packages is from a third party.
        return errors.not_found(f"Package {package}") if now - minute > _RETENTION else None

    def _serve(self, feed: str, minute: str) -> Answer:
        book, clock = self._simulator.faults, self._simulator.clock
        if rule := book.first(faults.ANSWERS, feed=feed, minute=minute):
            return refuse(rule, f"package {minute} of {feed}", clock.now())
        token = DownloadToken(feed=feed, minute=minute, rules=tuple(book.all(faults.BODIES, feed=feed, minute=minute)))
        way = book.first(faults.REDIRECTS, feed=feed, minute=minute)
        if self._simulator.modes.direct or (way and way.kind == "direct"):
            return self._downloads.deliver(token)
        return Answer(302, headers={"Location": self._location(token, way.kind if way else "")})

    def _location(self, token: DownloadToken, way: str) -> str:
        written = self._simulator.tokens.write(token)
        if way == "redirect_same_host":
            return f"/packages/{written}"
        host = self._simulator.settings.download_url
        if way == "redirect_encoded":
            return f"{host}{SAME_BYTES.format(written)}"
        return f"{host}/{'loop' if way == 'redirect_loop' else 'packages'}/{written}"
