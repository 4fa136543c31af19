"""Answers `GET /api/v3/ioc_stream` and `GET /api/v3/collections`."""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol
from urllib.parse import quote, urlencode

from infra.local.virustotal import errors
from infra.local.virustotal.content.sighting import API
from infra.local.virustotal.simulator import Simulator
from infra.local.virustotal.streams.cursors import BadCursorError, Cursor, read_cursor
from infra.local.virustotal.streams.faults import ListFaults
from infra.local.virustotal.streams.filters import (
    COLLECTION_TERMS,
    NOTIFICATION_TERMS,
    BadFilterError,
    Filter,
    read_filter,
)
from infra.local.virustotal.streams.timeline import Timeline
from infra.local.web import Answer, Request, Route, route

_LARGEST, _DEFAULT = 40, 10


class Item(Protocol):
    """Whatever a list holds."""

    @property
    def id(self) -> str:
        """What the list sorts by among equal dates."""

    @property
    def date(self) -> int:
        """What the list sorts by."""

    def written(self) -> bytes:
        """Return the item as JSON."""


_Place = tuple[tuple[int, str], Item]


@dataclass(frozen=True)
class List:
    """How one list is asked."""

    path: str
    date_term: str
    terms: frozenset[str]


NOTIFICATIONS = List("ioc_stream", "date", NOTIFICATION_TERMS)
COLLECTIONS = List("collections", "last_modification_date", COLLECTION_TERMS)


class ListsApi:
    """The lists of one simulator, and what their control changes."""

    def __init__(self, simulator: Simulator, interval: int) -> None:
        self._simulator = simulator
        self.timeline = Timeline(simulator.settings.seed, interval)
        self.faults = ListFaults()
        self.reset()

    def reset(self) -> None:
        """Come back to the state at the start."""
        self.timeline.reset()
        self.faults.replace(())
        self.cursor_seconds: float | None = None
        self.requests: Counter[tuple[str, int]] = Counter()
        self.last_query: dict[str, str] = {}
        self._found: tuple[object, list[_Place]] = (None, [])

    def routes(self) -> list[Route]:
        """Return the routes of the API port."""
        return [
            route("GET", "/api/v3/ioc_stream", lambda request: self.answer(request, NOTIFICATIONS)),
            route("GET", "/api/v3/collections", lambda request: self.answer(request, COLLECTIONS)),
        ]

    def answer(self, request: Request, which: List) -> Answer:
        """Answer a request for one page."""
        answer = self._refuse(request, which) or self._page(request, which)
        self.requests[which.path, answer.status] += 1
        return answer

    def _refuse(self, request: Request, which: List) -> Answer | None:
        self.last_query = dict(request.query)
        key = request.headers.get("x-apikey")
        if key is None:
            return errors.key_missing()
        if key not in self._simulator.keys:
            return errors.key_wrong()
        return self.faults.answer(which.path)

    def _page(self, request: Request, which: List) -> Answer:
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
        begin = bisect_right(places, _place(after.date, after.id, descending), key=itemgetter(0)) if after else 0
        page = [item for _, item in places[begin : begin + limit]]
        return self._answer(request, which, page, more=begin + limit < len(places), count=len(places))

    def _places(self, which: List, found: Filter, descending: bool) -> list[_Place]:
        """Return what a question finds, in order; a walk asks it again for every page, so the last is remembered."""
        question = (which.path, found, descending, self._now(), self.timeline.version)
        before, places = self._found
        if before != question:
            places = sorted(
                ((_place(item.date, item.id, descending), item) for item in self._items(which, found)),
                key=itemgetter(0),
            )
            self._found = question, places
        return places

    def _after(self, request: Request) -> Cursor | None:
        text = request.query.get("cursor")
        if not text:
            return None
        now = self._simulator.clock.now().timestamp()
        return read_cursor(text, question=_question(request), now=now, lifetime=self.cursor_seconds)

    def _items(self, which: List, found: Filter) -> Iterator[Item]:
        if which is COLLECTIONS:
            if dict(found.terms).get("collection_type", "vulnerability") == "vulnerability":
                yield from self.timeline.vulnerabilities(self._now(), found.begin, found.end)
            return
        every = self.timeline.notifications(self._now(), found.begin, found.end)
        yield from (one for one in every if found.fits(one)) if found.terms else every

    def _answer(self, request: Request, which: List, items: list[Item], *, more: bool, count: int) -> Answer:
        meta: dict[str, object] = {"count": count}
        links = {"self": f"{API}/{which.path}?{urlencode(request.query, quote_via=quote)}"}
        if more:
            issued = self._simulator.clock.now().timestamp()
            meta["cursor"] = Cursor(items[-1].date, items[-1].id, issued, _question(request)).write()
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


def _question(request: Request) -> str:
    return f"{request.path} {request.query.get('filter', '')} {request.query.get('order', '')}"


def _place(date: int, name: str, descending: bool) -> tuple[int, str]:
    # Equal dates come in ascending order of ids both ways (seen in real pages of date-).
    return (-date if descending else date), name
