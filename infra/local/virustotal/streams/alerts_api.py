"""Handles `GET /api/v3/dtm/alerts` and `PATCH /api/v3/dtm/alerts/{id}`, and the host that the links name."""

import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from threading import Lock

from infra.local.virustotal import errors
from infra.local.virustotal.refusals import refuse
from infra.local.virustotal.simulator import Simulator
from infra.local.virustotal.streams.alerts import STATUSES, Alert, Alerts
from infra.local.virustotal.streams.api import ListsApi
from infra.local.virustotal.streams.faults import ENCODING, KINDS, encoded, own_answer
from infra.local.web import Answer, Request, Route, route

PATH = "dtm/alerts"
_DEFAULT, _LARGEST = 10, 25
_SORTS = {"created_at": "created", "updated_at": "updated", "id": "id", "monitor_id": "id"}
_KNOWN = frozenset({"sort", "order", "size", "life", "since", "until", "refs", "truncate", "sanitize", "monitor_name"})
_LIFE = re.compile(r"(\d{1,2})m", re.ASCII)
_LONGEST_MINUTES = 10
# 100 requests of status 400 or above an hour, and 10 at once (documented).
_MAX_INVALID, _HOUR = 100, 3600.0
_MAX_AT_ONCE = 10


@dataclass
class _Scroll:
    """The rest of a list as of its first request; each request takes the next page and extends its lifetime."""

    alerts: list[Alert]
    size: int
    refs: bool
    truncate: int | None
    life: float
    until: float


class AlertsApi:
    """The alerts of one simulator; faults and counts are those of the lists, under the path `dtm/alerts`."""

    def __init__(self, simulator: Simulator, lists: ListsApi) -> None:
        self._simulator = simulator
        self._lists = lists
        self.alerts = Alerts(simulator.settings.seed, simulator.settings.pace)
        self._lock = Lock()
        self._running = 0
        self.reset()

    def reset(self) -> None:
        """Reset to the initial state."""
        self.alerts.reset()
        self.trailing_link = False
        self._invalid: deque[float] = deque()
        self._scrolls: dict[str, _Scroll] = {}

    def routes(self) -> list[Route]:
        """Return the routes of the API port."""
        return [
            route("GET", f"/api/v3/{PATH}", self.answer),
            route("PATCH", rf"/api/v3/{PATH}/(?P<name>\w+)", self.change),
        ]

    def foreign_routes(self) -> list[Route]:
        """Return the routes of the host in the links, which is not the API's and counts keys that it receives."""
        return [route("GET", f"/v4/{PATH}", self.elsewhere)]

    def elsewhere(self, request: Request) -> Answer:
        """Refuse a request that follows a link."""
        self._simulator.stats.remember("download", request.headers)
        return errors.error(403, "ForbiddenError", "this host is not the API's")

    def answer(self, request: Request) -> Answer:
        """Respond to a request for one page."""
        with self._lock:
            self._running += 1
            busy = self._running > _MAX_AT_ONCE
        try:
            answer = self._locked_out(busy=busy) or self._refuse(request) or self._page(request.query)
        finally:
            with self._lock:
                self._running -= 1
        if self._lists.faults.first(ENCODING, path=PATH):
            answer = encoded(answer)
        if answer.status >= 400:
            self._invalid.append(self._now())
        self._lists.requests[PATH, answer.status] += 1
        return answer

    def change(self, request: Request, name: str) -> Answer:
        """Set an alert's status, which changes updated_at even if the status stays the same."""
        if refused := self._simulator.refuse_key(request):
            return refused
        try:
            status = json.loads(request.body)["status"]
        except (ValueError, LookupError, TypeError):
            status = None
        if status not in STATUSES:
            return errors.error(400, "BadRequestError", f"status must be one of {', '.join(STATUSES)}")
        changed = self.alerts.change(name, status, self._now())
        if changed is None:
            return errors.not_found(f"alert {name}")
        return Answer(200, changed.written(refs=False, truncate=None), _TYPE)

    def current(self) -> list[Alert]:
        """Return every alert as it is now."""
        return list(self.alerts.latest(self._now(), flowing=self._lists.timeline.flowing))

    def _locked_out(self, *, busy: bool) -> Answer | None:
        now = self._now()
        while self._invalid and self._invalid[0] <= now - _HOUR:
            self._invalid.popleft()
        if busy or len(self._invalid) >= _MAX_INVALID:
            return errors.error(429, "TooManyRequestsError", "Too many requests")
        return None

    def _refuse(self, request: Request) -> Answer | None:
        self._lists.last_query = dict(request.query)
        if refused := self._simulator.refuse_key(request):
            return refused
        rule = self._lists.faults.first(KINDS, path=PATH)
        if rule is None:
            return None
        return own_answer(rule) or refuse(rule, f"list {PATH}", self._simulator.clock.now())

    def _page(self, query: Mapping[str, str]) -> Answer:
        token = query.get("page")
        if token is None:
            scroll = self._begin(query)
            if isinstance(scroll, Answer):
                return scroll
            token = f"scroll{len(self._scrolls)}"
            self._scrolls[token] = scroll
        elif set(query) != {"page"}:
            return _bad("page cannot be combined with other parameters")
        return self._next(token)

    def _begin(self, query: Mapping[str, str]) -> _Scroll | Answer:
        sort, size, life = query.get("sort", "created_at"), query.get("size", str(_DEFAULT)), query.get("life", "1m")
        minutes = _LIFE.fullmatch(life)
        if unknown := set(query) - _KNOWN:
            return _bad(f"unknown parameter {min(unknown)}")
        if sort not in _SORTS or query.get("order", "desc") not in ("asc", "desc"):
            return _bad("sort or order is not valid")
        if not size.isdecimal() or not 1 <= int(size) <= _LARGEST:
            return _bad(f"size must be 1 to {_LARGEST}")
        if not minutes or not 1 <= int(minutes[1]) <= _LONGEST_MINUTES:
            return _bad(f"life must be 1m to {_LONGEST_MINUTES}m")
        since, until = _moment(query.get("since"), 0.0), _moment(query.get("until"), 2.0**40)
        if since is None or until is None:
            return _bad("since and until must be in RFC 3339")
        # since and until are about the creation (documented), so they do not find changes.
        found = sorted((one for one in self.current() if since <= one.created <= until), key=attrgetter("id"))
        found.sort(key=attrgetter(_SORTS[sort]), reverse=query.get("order", "desc") == "desc")
        seconds = 60.0 * int(minutes[1])
        cut = query.get("truncate")
        return _Scroll(
            found,
            int(size),
            refs=query.get("refs", "true") == "true",
            truncate=int(cut) if cut else None,
            life=seconds,
            until=self._now() + seconds,
        )

    def _next(self, token: str) -> Answer:
        scroll = self._scrolls.get(token)
        if scroll is None or scroll.until < self._now():
            return _bad("the page does not exist or has expired")
        page, scroll.alerts = scroll.alerts[: scroll.size], scroll.alerts[scroll.size :]
        scroll.until = self._now() + scroll.life
        written = [alert.written(refs=scroll.refs, truncate=scroll.truncate) for alert in page]
        link = f'<{self._simulator.settings.download_url}/v4/{PATH}?page={token}>; rel="next"'
        more = scroll.alerts or self.trailing_link
        return Answer(200, b'{"alerts": [%b]}' % b", ".join(written), _TYPE | ({"Link": link} if more else {}))

    def _now(self) -> float:
        return self._simulator.clock.now().timestamp()


_TYPE = {"Content-Type": "application/json; charset=utf-8"}


def _bad(message: str) -> Answer:
    return errors.error(400, "BadRequestError", message)


def _moment(text: str | None, default: float) -> float | None:
    if text is None:
        return default
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return date.timestamp() if date.tzinfo else None
