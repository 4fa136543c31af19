"""The audit of streams: each page of a log is unchanged and delivered, and its delivery accounts for its items.

A listing has the checksums, and a delivery that of its page, so pages are read only on request.
"""

import re
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.contracts.interfaces import Bucket, Listed
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import known_feeds
from shared.operations.audit_late_pages import late_pages
from shared.operations.findings import Finding, number_of
from shared.operations.health import DELIVERY_OVERDUE
from shared.operations.stream_accounts import StreamAccounts, read_pages
from shared.operations.stream_log import Unit
from shared.streams.definition import Stream, known_streams
from shared.streams.delivery_progress import Delivery, delivery_name, find_delivery
from shared.streams.page_log import NotAPage, PublishedStore, page_name, read_page

# A lost message is published again after an hour (services/secops_forwarder/poll/republish.py).
UNDELIVERED_AFTER = DELIVERY_OVERDUE + timedelta(hours=1)
_OBJECT = re.compile(r".*/(pages|oversize)/(\d{10})(-\d{4})?(\.delivery)?\.json", re.ASCII)


@dataclass(frozen=True)
class StreamAudit:
    """The findings about one stream; pages counts those that were compared with their deliveries."""

    stream: str
    pages: int
    findings: tuple[Finding, ...]
    unit: Unit = "page"

    def summary(self) -> str:
        """Return the stream's log in one line."""
        return f"{self.stream}: {self.pages} {self.unit}s; {number_of(self.findings)}"


@dataclass(frozen=True)
class _Log:
    """The objects of a stream's log, as listed."""

    bucket: Bucket
    stream: str
    pages: Mapping[int, Listed] = field(default_factory=dict)
    deliveries: frozenset[int] = frozenset()
    oversize: Mapping[tuple[int, int], Listed] = field(default_factory=dict)

    def restore(self, name: str) -> str:
        """Return the step that restores an object."""
        return f"restore an earlier version of {self.bucket.uri(name)} (gcloud storage restore, within 7 days)"

    def send_again(self, sequence: int) -> str:
        return f"gti-mesh secops replay {self.stream} {sequence} {sequence}"

    def deliver_all(self, sequence: int) -> str:
        """Return the step that delivers a page from its beginning, which repeats what SecOps has accepted."""
        delivery = self.bucket.uri(delivery_name(page_name(self.stream, sequence)))
        return f"delete {delivery}, then {self.send_again(sequence)}"


def audit_streams(bucket: Bucket, since: datetime, *, deep: bool, now: datetime) -> Iterator[StreamAudit]:
    """Audit every stream that has a log; deep also looks for items that are in two pages."""
    for name, stream in known_streams().items():
        log = _listed(bucket, name)
        if log.pages or log.deliveries:
            recent = [number for number, listed in log.pages.items() if listed.created >= since]
            findings = [*_gone(log), *(one for number in recent for one in _of_page(log, number, now))]
            findings += _oversize(log, recent)
            findings += late_pages(bucket, name, log.pages, since) if name in known_feeds() else ()
            findings += _twice(bucket, stream) if deep and not findings else ()
            yield StreamAudit(name, len(recent), tuple(findings))


def _listed(bucket: Bucket, stream: str) -> _Log:
    pages: dict[int, Listed] = {}
    deliveries: set[int] = set()
    oversize: dict[tuple[int, int], Listed] = {}
    for one in bucket.listed(f"streams/{stream}/", ""):
        found = _OBJECT.fullmatch(one.name)
        if not found:
            continue
        folder, sequence, position, delivery = found.groups()
        match folder, bool(delivery):
            case "pages", False:
                pages[int(sequence)] = one
            case "pages", True:
                deliveries.add(int(sequence))
            case "oversize", False:
                oversize[int(sequence), int((position or "-0")[1:])] = one
    return _Log(bucket, stream, pages, frozenset(deliveries), oversize)


def _gone(log: _Log) -> Iterator[Finding]:
    """Yield pages that were written and are missing; the log begins with page 1 and has no gap."""
    published = PublishedStore(log.bucket, log.stream).read()[0].published
    last = max(published, *log.pages, *log.deliveries, 0)
    for sequence in sorted(set(range(1, last + 1)) - log.pages.keys()):
        yield Finding(f"page {sequence} is gone", log.restore(page_name(log.stream, sequence)))


def _of_page(log: _Log, sequence: int, now: datetime) -> Iterator[Finding]:
    listed = log.pages[sequence]
    try:
        delivery = find_delivery(log.bucket, listed.name)
    except Misconfigured as error:
        yield Finding(f"the delivery of page {sequence} cannot be read: {error}", log.deliver_all(sequence))
        return
    if delivery is None or not delivery.finished:
        if now - listed.created > UNDELIVERED_AFTER and not (delivery and delivery.reason):
            yield Finding(f"page {sequence} is not delivered", log.send_again(sequence))
        return
    if delivery.page_crc32c and listed.crc32c and delivery.page_crc32c != listed.crc32c:
        yield Finding(f"page {sequence} has changed since it was delivered", log.restore(listed.name))
    aside = {position for page, position in log.oversize if page == sequence}
    yield from delivery_findings(f"page {sequence}", delivery, aside, log.deliver_all(sequence))


def delivery_findings(what: str, delivery: Delivery, aside: Collection[int], step: str) -> Iterator[Finding]:
    """Yield what is wrong with a finished delivery.

    aside has the positions of the items whose objects are there, step is the one that delivers all items again.
    """
    accounted = delivery.accepted + delivery.dead
    if accounted != delivery.items:
        yield Finding(f"the delivery of {what} accounts for {accounted} of {delivery.items} items", step)
    for position in delivery.oversize:
        if position not in aside:
            yield Finding(f"item {position} of {what} was set aside, and its object is gone", step)
    for position in sorted(set(aside) - set(delivery.oversize)):
        yield Finding(f"item {position} of {what} was set aside, and the delivery does not name it", step)


def _oversize(log: _Log, pages: Container[int]) -> Iterator[Finding]:
    """Yield set-aside items that no longer equal those of these pages."""
    for (sequence, position), listed in log.oversize.items():
        if sequence in pages and _items(log, listed.name)[:1] != _item_of_page(log, sequence, position):
            text = f"item {position} of page {sequence} was set aside, and its object has changed"
            yield Finding(text, log.restore(listed.name))


def _item_of_page(log: _Log, sequence: int, position: int) -> Sequence[bytes]:
    return _items(log, log.pages[sequence].name)[position : position + 1]


def _items(log: _Log, name: str) -> Sequence[bytes]:
    stored = log.bucket.read(name)
    try:
        return read_page(stored.data, log.bucket.uri(name)).items if stored else ()
    except NotAPage:
        return ()


def _twice(bucket: Bucket, stream: Stream) -> Iterator[Finding]:
    if again := StreamAccounts(read_pages(bucket, stream), returning=bool(stream.unversioned)).repeated:
        yield Finding(f"{again} items are in two pages", "none: SecOps has them twice")
