"""The landings of a feed that go to SecOps, as the log of a stream: each hour is a page with its delivery.

A landing never changes, so a reader re-reads only new landings and deliveries that have changed.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from shared.contracts.interfaces import Bucket, Listed
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import HORIZON, day_folder
from shared.operations.feed_conditions import destination_conditions, log_type_conditions
from shared.operations.problems import Problem, readable
from shared.operations.stream_log import LoggedPage, StreamLog
from shared.streams.delivery_progress import Delivery, read_delivery
from shared.streams.landing_log import (
    Forwarding,
    ForwardingStore,
    hour_number,
    items_of,
    landing_deliveries,
    landing_delivery_name,
    manifests_since,
    read_landing,
)

T = TypeVar("T")


class _Known(Generic[T]):
    """What was read of objects, each until its generation changes."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int | None, T | None]] = {}

    def read(self, name: str, generation: int | None, read: Callable[[], T | None]) -> T | None:
        known = self._found.get(name)
        if known is None or generation is None or known[0] != generation:
            known = self._found[name] = generation, read()
        return known[1]

    def forget_others(self, names: Mapping[str, object]) -> None:
        self._found = {name: known for name, known in self._found.items() if name in names}


class LandingReader:
    """Reads one feed's landings and deliveries repeatedly; not thread-safe."""

    def __init__(self, bucket: Bucket, feed: str) -> None:
        self._bucket = bucket
        self._feed = feed
        self._store = ForwardingStore(bucket, feed)
        self._conditions = (destination_conditions(bucket), log_type_conditions(bucket))
        self._manifests: _Known[MinuteLanded] = _Known()
        self._deliveries: _Known[Delivery] = _Known()

    def read(self, now: datetime) -> StreamLog | None:
        """Return the hours that landed in the last seven days, or None if the feed was never switched on."""
        problems: list[Problem] = []
        state = readable(lambda: self._store.read()[0], problems)
        if state is None and not problems:
            return None
        pages = tuple(self._pages(state, now, problems)) if state else ()
        conditions = [readable(partial(one.read, self._feed), problems) for one in self._conditions]
        return StreamLog(
            stream=self._feed,
            pages=pages,
            newest=pages[-1] if pages else None,
            first_date=pages[0].hour if pages else None,
            last_date=pages[-1].hour if pages else None,
            condition=next(filter(None, conditions), None),
            pass_began=state.swept_at if state else None,
            problems=tuple(problems),
            unit="hour",
        )

    def _pages(self, state: Forwarding, now: datetime, problems: list[Problem]) -> Iterator[LoggedPage]:
        """Yield what landed while the feed was on, and whatever has begun to be delivered."""
        begun = {one.name: one.generation for one in self._begun(now)}
        there = {one.name: (hour, one) for hour, one in manifests_since(self._bucket, self._feed, now - HORIZON)}
        self._deliveries.forget_others(begun)
        self._manifests.forget_others(there)
        for hour, listed in there.values():
            if listed.created > now - HORIZON and (landed := self._manifest(hour, listed, problems)):
                name = landing_delivery_name(self._bucket, landed.uri)
                if name in begun or state.covers(listed.created):
                    yield self._page(landed, listed, name, begun, problems)

    def _begun(self, now: datetime) -> Iterator[Listed]:
        prefix = landing_deliveries(self._feed)
        oldest = day_folder(self._feed, (now - 2 * HORIZON).date()).removeprefix(f"{self._feed}/")
        return iter(self._bucket.listed(prefix, f"{prefix}{oldest}"))

    def _manifest(self, hour: datetime, listed: Listed, problems: list[Problem]) -> MinuteLanded | None:
        def read() -> MinuteLanded | None:
            return readable(lambda: read_landing(self._bucket, self._feed, hour), problems)

        return self._manifests.read(listed.name, listed.generation, read)

    def _page(
        self,
        landed: MinuteLanded,
        listed: Listed,
        name: str,
        begun: Mapping[str, int | None],
        problems: list[Problem],
    ) -> LoggedPage:
        def read() -> Delivery | None:
            return readable(lambda: read_delivery(self._bucket, name), problems)

        delivery = self._deliveries.read(name, begun[name], read) if name in begun else Delivery(items=items_of(landed))
        return LoggedPage(hour_number(landed.minute), landed.uri, listed.created, delivery)
