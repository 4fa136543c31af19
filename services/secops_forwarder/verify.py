"""Compare delivered notifications with the tenant's logs, by raw log searches over a time window.

An accepted log may still never appear, which only a search can show. Searches count the logs of the stream's type by
the name of a field that every item has; if some are missing, the window is halved until they can be searched one by
one. If there are more logs than were delivered, whose they are is not known, and some items are searched one by one.
Needs the permission chronicle.events.searchRawLogs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.secops_forwarder.importer.client import SecOps
from services.secops_forwarder.importer.request import happened, rfc3339
from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import Misconfigured
from shared.runtime.json_bytes import read_json, write_json
from shared.streams.definition import Stream, look_up
from shared.streams.delivery_progress import find_delivery
from shared.streams.page_log import NotAPage, Page, PageLog, PublishedStore, page_name

PERMISSION = "chronicle.events.searchRawLogs"
# The API version that Google's wrapper uses for this method.
_VERSION = "v1alpha"
# A response may contain each log's text.
_PAGE = 1000
_SHORTEST = timedelta(seconds=1)
_ONE_BY_ONE = 8
_MAX_NAMED = 20
# A page lands after the dates of its items, but the source's clock may be ahead.
_AHEAD = timedelta(minutes=10)


@dataclass(frozen=True)
class Delivered:
    """An item that SecOps has accepted: its date, its search text, and its page."""

    at: datetime
    text: str
    page: int


@dataclass(frozen=True)
class Verified:
    """The number delivered in a window, the number found in the tenant, and the first missing ones."""

    delivered: int
    found: int
    missing: tuple[Delivered, ...]

    @property
    def good(self) -> bool:
        """Whether the tenant has everything."""
        return self.found >= self.delivered and not self.missing


class Tenant:
    """Searches the raw logs of one log type; every log has the field."""

    def __init__(self, secops: SecOps, log_type: str, field: str = "id") -> None:
        self._secops = secops
        self._log_type = log_type
        self._field = field

    def count(self, begin: datetime, end: datetime) -> int:
        """Return the number of logs of the type in [begin, end)."""
        matches, more = self._search(f'raw = /"{self._field}"/', begin, end)
        if more and end - begin > _SHORTEST:
            middle = begin + (end - begin) / 2
            return self.count(begin, middle) + self.count(middle, end)
        return matches

    def has(self, item: Delivered) -> bool:
        """Return whether an item is found by its text."""
        return self._search(f'raw = "{item.text}"', item.at, item.at + _SHORTEST)[0] > 0

    def _search(self, query: str, begin: datetime, end: datetime) -> tuple[int, bool]:
        span = {"startTime": rfc3339(begin), "endTime": rfc3339(end)}
        asked = {"baselineQuery": query, "baselineTimeRange": span, "caseSensitive": True, "pageSize": _PAGE}
        asked["logTypes"] = [{"displayName": self._log_type}]
        url = self._secops.instance.method_url("searchRawLogs", _VERSION)
        answer = read_json(self._secops.call("POST", url, write_json(asked), permission=PERMISSION))
        parts = answer if isinstance(answer, list) else [answer]
        matches = [match for part in parts for match in _matches(part)]
        more = any(look_up(part, "nextPageToken") for part in parts) or len(matches) >= _PAGE
        # The service does not apply logTypes to the search.
        return sum(_is_of(match, self._log_type) for match in matches), more


def _matches(part: object) -> Sequence[object]:
    found = look_up(part, "matches")
    return found if isinstance(found, list) else ()


def _is_of(match: object, log_type: str) -> bool:
    named = look_up(match, "logType.displayName") or look_up(match, "logType.name") or look_up(match, "logType")
    return not isinstance(named, str) or named.rpartition("/")[2] == log_type


def verify(secops: SecOps, bucket: Bucket, stream: Stream, begin: datetime, end: datetime) -> Verified:
    """Compare a window; raise DestinationRefused if the credentials may not search."""
    tenant = Tenant(secops, stream.log_type, stream.key[-1].rpartition(".")[2])
    delivered = sorted(_delivered(bucket, stream, begin, end), key=lambda item: item.at)
    found, missing = _compare(tenant, delivered, begin, end)
    if found > len(delivered):
        # Another sender, or another stream of the log type, may hide what is missing.
        missing = [item for item in _spread(delivered) if not tenant.has(item)]
    return Verified(len(delivered), found, tuple(missing[:_MAX_NAMED]))


def _spread(delivered: Sequence[Delivered]) -> Sequence[Delivered]:
    """Return some items of the whole window."""
    return delivered[:: -(-len(delivered) // _MAX_NAMED) or 1]


def _compare(
    tenant: Tenant, delivered: Sequence[Delivered], begin: datetime, end: datetime
) -> tuple[int, list[Delivered]]:
    """Return the number of logs found in a window, and the missing items."""
    found = tenant.count(begin, end)
    if found >= len(delivered):
        return found, []
    if len(delivered) <= _ONE_BY_ONE or end - begin <= _SHORTEST:
        return found, [item for item in delivered[:_MAX_NAMED] if not tenant.has(item)]
    middle = begin + (end - begin) / 2
    halves = ((begin, middle), (middle, end))
    parts = [_compare(tenant, [one for one in delivered if a <= one.at < b], a, b) for a, b in halves]
    return sum(count for count, _ in parts), [item for _, missing in parts for item in missing]


def _delivered(bucket: Bucket, stream: Stream, begin: datetime, end: datetime) -> Iterator[Delivered]:
    for page in _pages_since(bucket, stream, begin):
        delivery = find_delivery(bucket, page_name(stream.name, page.head.sequence))
        done = delivery.done if delivery else 0
        aside = set(delivery.oversize) if delivery else set()
        for position in sorted(set(range(done)) - aside):
            item = page.item(position)
            at = happened(stream.happened(item), page.head.landed_at)
            if begin <= at < end:
                yield Delivered(at, str(look_up(item, stream.key[0])), page.head.sequence)


def _pages_since(bucket: Bucket, stream: Stream, begin: datetime) -> Iterator[Page]:
    """Yield the pages that can contain items since a time, newest first."""
    log = PageLog(bucket, stream.name)
    sequence = PublishedStore(bucket, stream.name).read()[0].published
    if not sequence:
        raise Misconfigured(f"{bucket.uri('')} has no page of {stream.name}: nothing was delivered from there")
    while sequence:
        try:
            page = log.read(sequence)
        except NotAPage:
            page = None
        if page is None or page.head.landed_at + _AHEAD < begin:
            return
        yield page
        sequence -= 1
