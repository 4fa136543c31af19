"""The landings of a feed that go to SecOps, as the log of a stream: each hour is a page with its delivery.

A landing never changes, so a reader re-reads only new landings and deliveries that have changed.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from shared.contracts.interfaces import Bucket, Listed
from shared.contracts.minutes import HORIZON, day_folder
from shared.operations.feed_conditions import destination_conditions, log_type_conditions
from shared.operations.problems import Problem, readable
from shared.operations.stream_log import LoggedPage, StreamLog
from shared.streams.delivery_progress import Delivery, read_delivery
from shared.streams.landing_log import (
    Forwarding,
    ForwardingStore,
    Landing,
    hour_number,
    items_of,
    landing_deliveries,
    landing_delivery_name,
    manifests_since,
    read_landing,
)

# As many connections as the client keeps.
_READERS = 10

K = TypeVar("K")
T = TypeVar("T")


class _Known(Generic[K, T]):
    """What was read of objects, each until its generation changes; a read that failed is repeated."""

    def __init__(self, read: Callable[[K], T | None]) -> None:
        self._read = read
        self._found: dict[K, tuple[int | None, T]] = {}

    def read(self, wanted: Mapping[K, int | None], problems: list[Problem]) -> dict[K, T]:
        """Return the objects with these generations that are there; what cannot be read is a problem."""
        known = {key: found for key, found in self._found.items() if found[0] and found[0] == wanted.get(key)}
        with ThreadPoolExecutor(_READERS) as readers:
            for key, found, failed in readers.map(self._attempt, [key for key in wanted if key not in known]):
                problems += failed
                if found is not None:
                    known[key] = wanted[key], found
        self._found = known
        return {key: found for key, (_, found) in known.items()}

    def _attempt(self, key: K) -> tuple[K, T | None, list[Problem]]:
        failed: list[Problem] = []
        return key, readable(partial(self._read, key), failed), failed


class LandingReader:
    """Reads one feed's landings and deliveries repeatedly; not thread-safe."""

    def __init__(self, bucket: Bucket, feed: str) -> None:
        self._bucket = bucket
        self._feed = feed
        self._store = ForwardingStore(bucket, feed)
        self._conditions = (destination_conditions(bucket), log_type_conditions(bucket))
        self._landings: _Known[datetime, Landing] = _Known(partial(read_landing, bucket, feed))
        self._deliveries: _Known[str, Delivery] = _Known(partial(read_delivery, bucket))

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
        manifests = dict(manifests_since(self._bucket, self._feed, now - HORIZON))
        recent = {hour: one.generation for hour, one in manifests.items() if one.created > now - HORIZON}
        landings = self._landings.read(recent, problems)
        names = {hour: landing_delivery_name(self._bucket, landed.uri) for hour, landed in landings.items()}
        deliveries = self._deliveries.read({name: begun[name] for name in names.values() if name in begun}, problems)
        for hour, landed in sorted(landings.items()):
            name, created = names[hour], manifests[hour].created
            if name in begun or state.covers(created):
                delivery = deliveries.get(name) if name in begun else Delivery(items=items_of(landed))
                yield LoggedPage(hour_number(hour), landed.uri, created, delivery)

    def _begun(self, now: datetime) -> Iterator[Listed]:
        prefix = landing_deliveries(self._feed)
        oldest = day_folder(self._feed, (now - 2 * HORIZON).date()).removeprefix(f"{self._feed}/")
        return iter(self._bucket.listed(prefix, f"{prefix}{oldest}"))
