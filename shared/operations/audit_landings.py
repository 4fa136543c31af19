"""The audit of feeds that go to SecOps: each hour that has landed is delivered, and every line of it accounted for."""

import re
from collections.abc import Collection, Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.interfaces import Bucket, Listed
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import manifest_minute
from shared.contracts.outcomes import Misconfigured
from shared.operations.audit_streams import UNDELIVERED_AFTER, StreamAudit, delivery_findings
from shared.operations.findings import Finding
from shared.operations.stream_status import replay_command, written
from shared.streams.delivery_progress import read_delivery
from shared.streams.forwarded import FORWARDED_FEEDS
from shared.streams.landing_log import (
    Forwarding,
    ForwardingStore,
    aside_stem,
    hour_number,
    items_of,
    landing_deliveries,
    landing_delivery_name,
    read_landing,
)

# As many connections as the client keeps.
_READERS = 10
_ASIDE = re.compile(r".*/(\d{10}-\d{10})-(\d+)\.json", re.ASCII)


def audit_landings(bucket: Bucket, since: datetime, now: datetime) -> Iterator[StreamAudit]:
    """Audit the hours of every feed that was ever switched on, from an hour on."""
    for feed in FORWARDED_FEEDS:
        state, _ = ForwardingStore(bucket, feed).read()
        if state:
            begun = frozenset(bucket.names(landing_deliveries(feed)))
            yield _Audit(bucket, feed, state, begun, _aside(bucket, feed), now).run(since)


def _aside(bucket: Bucket, feed: str) -> dict[str, set[int]]:
    """Return the positions of the lines that were set aside, by the beginning of their names."""
    found: dict[str, set[int]] = {}
    for name in bucket.names(f"streams/{feed}/oversize/"):
        if named := _ASIDE.fullmatch(name):
            found.setdefault(named[1], set()).add(int(named[2]))
    return found


@dataclass(frozen=True)
class _Audit:
    bucket: Bucket
    feed: str
    state: Forwarding
    begun: Container[str]
    aside: Mapping[str, Collection[int]]
    now: datetime

    def run(self, since: datetime) -> StreamAudit:
        manifests = [one for one in self.bucket.listed(f"{self.feed}/", "") if self._is_since(one, since)]
        with ThreadPoolExecutor(_READERS) as readers:
            looked = [found for found in readers.map(self._hour, manifests) if found is not None]
        findings = tuple(finding for found in looked for finding in found)
        return StreamAudit(f"{self.feed} to SecOps", len(looked), findings, unit="hour")

    def _is_since(self, listed: Listed, since: datetime) -> bool:
        hour = manifest_minute(listed.name)
        return hour is not None and hour >= since

    def _hour(self, listed: Listed) -> list[Finding] | None:
        """Return the findings about an hour, or None if it need not be delivered and has not begun to be."""
        hour = manifest_minute(listed.name)
        try:
            landed = read_landing(self.bucket, self.feed, hour) if hour else None
        except Misconfigured:
            # The audit of the feed itself reports it.
            return None
        return list(self._of(landed, listed)) if landed and self._is_due(landed, listed) else None

    def _is_due(self, landed: MinuteLanded, listed: Listed) -> bool:
        name = landing_delivery_name(self.bucket, landed.uri)
        return name in self.begun or (items_of(landed) > 0 and self.state.covers(listed.created))

    def _of(self, landed: MinuteLanded, listed: Listed) -> Iterator[Finding]:
        number = hour_number(landed.minute)
        what, again = written("hour", number), replay_command(self.feed, "hour", number, number)
        name = landing_delivery_name(self.bucket, landed.uri)
        step = f"delete {self.bucket.uri(name)}, then {again}"
        try:
            delivery = read_delivery(self.bucket, name)
        except Misconfigured as error:
            yield Finding(f"the delivery of {what} cannot be read: {error}", step)
            return
        if delivery is None or not delivery.finished:
            if self.now - listed.created > UNDELIVERED_AFTER and not (delivery and delivery.reason):
                yield Finding(f"{what} is not delivered", again)
            return
        if delivery.items != items_of(landed):
            yield Finding(f"the delivery of {what} is about {delivery.items} of {items_of(landed)} lines", step)
            return
        yield from delivery_findings(what, delivery, self.aside.get(aside_stem(landed), ()), step)
