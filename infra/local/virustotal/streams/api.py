"""Handles `GET /api/v3/ioc_stream` and `GET /api/v3/collections`."""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol
from urllib.parse import quote, urlencode

from infra.local.faults.rules import FaultBook
from infra.local.virustotal import errors
from infra.local.virustotal.content.entity_version import API
from infra.local.virustotal.refusals import refuse
from infra.local.virustotal.simulator import Simulator
from infra.local.virustotal.streams.collections import COLLECTION_TYPES, Collection, collections, related
from infra.local.virustotal.streams.cursors import BadCursorError, Cursor, read_cursor
from infra.local.virustotal.streams.faults import ENCODING, KINDS, ListRule, encoded, own_answer
from infra.local.virustotal.streams.filters import (
    COLLECTION_TERMS,
    NOTIFICATION_TERMS,
    BadFilterError,
    Filter,
    read_filter,
)
from infra.local.virustotal.streams.timeline import Timeline
from infra.local.web import Answer, Request, Route, json_answer, route

_LARGEST, _DEFAULT = 40, 10


class Item(Protocol):
    """An item of a list."""

    @property
    def id(self) -> str:
        """The sort key among equal dates."""

    @property
    def date(self) -> int:
        """The sort key."""

    def written(self) -> bytes:
        """Return the item as JSON."""


_Place = tuple[tuple[int, str], Item]


@dataclass(frozen=True)
class ListSpec:
    """One list: its path, the term of its date, and its filter terms."""

    path: str
    date_term: str
    terms: frozenset[str]


NOTIFICATIONS = ListSpec("ioc_stream", "date", NOTIFICATION_TERMS)
RELATIONSHIPS = ListSpec("relationships", "date", frozenset())
COLLECTIONS = ListSpec("collections", "last_modification_date", COLLECTION_TERMS)


class ListsApi:
    """The lists of one simulator, and their settings."""

    def __init__(self, simulator: Simulator, interval: int) -> None:
        self._simulator = simulator
        self.timeline = Timeline(simulator.settings.seed, interval, simulator.settings.pace.since)
        self.faults: FaultBook[ListRule] = FaultBook()
        self.reset()

    def reset(self) -> None:
        """Reset to the initial state."""
        self.timeline.reset()
        self.faults.replace(())
        self.cursor_seconds: float | None = None
        self.positional = False
        self.requests: Counter[tuple[str, int]] = Counter()
        self.last_query: dict[str, str] = {}
        self._found: tuple[object, list[_Place]] = (None, [])

    def routes(self) -> list[Route]:
        """Return the routes of the API port."""
        return [
            route("GET", "/api/v3/ioc_stream", lambda request: self.answer(request, NOTIFICATIONS)),
            route("GET", "/api/v3/collections", lambda request: self.answer(request, COLLECTIONS)),
            route("GET", r"/api/v3/collections/(?P<name>[^/]+)/relationships/(?P<relation>[a-z_]+)", self.relation),
        ]

    def answer(self, request: Request, which: ListSpec) -> Answer:
        """Respond to a request for one page."""
        answer = self._refuse(request, which) or self._page(request, which)
        if self.faults.first(ENCODING, path=which.path):
            answer = encoded(answer)
        self.requests[which.path, answer.status] += 1
        return answer

    def collections(self, kind: str, begin: int, end: int) -> Iterator[Collection]:
        """Yield the collections of a type whose latest modification is between two times."""
        return collections(self.timeline.seed, kind, self._now(), begin, end, self._simulator.settings.pace)

    def relation(self, request: Request, name: str, relation: str) -> Answer:
        """Respond to a request for the objects related to a collection; faults have the path `relationships`."""
        answer = self._refuse(request, RELATIONSHIPS) or self._related(request, name, relation)
        self.requests[RELATIONSHIPS.path, answer.status] += 1
        return answer

    def _related(self, request: Request, name: str, relation: str) -> Answer:
        try:
            limit = _limit(request.query.get("limit"))
        except BadFilterError as error:
            return errors.error(400, "BadRequestError", str(error))
        return json_answer(200, {"data": related(self.timeline.seed, name, relation, limit), "meta": {"count": limit}})

    def _refuse(self, request: Request, which: ListSpec) -> Answer | None:
        self.last_query = dict(request.query)
        if refused := self._simulator.refuse_key(request):
            return refused
        rule = self.faults.first(KINDS, path=which.path)
        if rule is None:
            return None
        return own_answer(rule) or refuse(rule, f"list {which.path}", self._simulator.clock.now())

    def _page(self, request: Request, which: ListSpec) -> Answer:
        try:
            limit = _limit(request.query.get("limit"))
            descending = _descending(request.query.get("order", f"{which.date_term}-"), which.date_term)
            found = read_filter(
                request.query.get("filter", ""), date_term=which.date_term, terms=which.terms, now=self._now()
            )
            after = self._after(request)
        except (BadFilterError, BadCursorError) as error:
            return errors.error(400, "BadRequestError", str(error))
        places = self._places(which, found, descending)
        begin = self._begin(places, after, descending) if after else 0
        page = [item for _, item in places[begin : begin + limit]]
        end = begin + limit if begin + limit < len(places) else None
        return self._answer(request, which, page, end=end, count=len(places))

    def _begin(self, places: list[_Place], after: Cursor, descending: bool) -> int:
        if self.positional:
            return after.position
        return bisect_right(places, _place(after.date, after.id, descending), key=itemgetter(0))

    def _places(self, which: ListSpec, found: Filter, descending: bool) -> list[_Place]:
        """Return the results of a query in order; the last is cached, because each page repeats the query."""
        query = (which.path, found, descending, self._now(), self.timeline.version)
        before, places = self._found
        if before != query:
            places = sorted(
                ((_place(item.date, item.id, descending), item) for item in self._items(which, found)),
                key=itemgetter(0),
            )
            self._found = query, places
        return places

    def _after(self, request: Request) -> Cursor | None:
        text = request.query.get("cursor")
        if not text:
            return None
        now = self._simulator.clock.now().timestamp()
        return read_cursor(text, query=_query_of(request), now=now, lifetime=self.cursor_seconds)

    def _items(self, which: ListSpec, found: Filter) -> Iterator[Item]:
        if which is COLLECTIONS:
            asked = dict(found.terms).get("collection_type")
            for kind in (asked,) if asked else COLLECTION_TYPES:
                yield from self.collections(kind, found.begin, found.end)
            return
        every = self.timeline.notifications(self._now(), found.begin, found.end)
        yield from (one for one in every if found.fits(one)) if found.terms else every

    def _answer(self, request: Request, which: ListSpec, items: list[Item], *, end: int | None, count: int) -> Answer:
        meta: dict[str, object] = {"count": count}
        links = {"self": f"{API}/{which.path}?{urlencode(request.query, quote_via=quote)}"}
        if end is not None:
            issued = self._simulator.clock.now().timestamp()
            meta["cursor"] = Cursor(items[-1].date, items[-1].id, end, issued, _query_of(request)).write()
            links["next"] = f"{API}/{which.path}?{urlencode({**request.query, 'cursor': meta['cursor']})}"
        data = b", ".join([item.written() for item in items])
        body = b'{"data": [%b], "meta": %b, "links": %b}' % (
            data,
            json.dumps(meta).encode(),
            json.dumps(links).encode(),
        )
        return Answer(200, body, {"Content-Type": "application/json; charset=utf-8"})

    def _now(self) -> int:
        return int(self._simulator.clock.now().timestamp())


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT
    if not text.isdecimal() or not 1 <= int(text) <= _LARGEST:
        raise BadFilterError(f'limit "{text}" is not valid. It must be between 1 and {_LARGEST}')
    return int(text)


def _descending(order: str, date_term: str) -> bool:
    if order not in (f"{date_term}+", f"{date_term}-"):
        raise BadFilterError(f'order "{order}" is not valid. Valid orders are: {date_term}+,{date_term}-')
    return order.endswith("-")


def _query_of(request: Request) -> str:
    return f"{request.path} {request.query.get('filter', '')} {request.query.get('order', '')}"


def _place(date: int, name: str, descending: bool) -> tuple[int, str]:
    # Equal dates are in ascending order of ids in both directions (seen in real pages of date-).
    return (-date if descending else date), name
