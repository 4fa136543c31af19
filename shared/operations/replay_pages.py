"""`gti-mesh secops replay`: republish messages for pages of a stream's log."""

from collections.abc import Iterator

from shared.contracts.interfaces import Bucket, Publisher
from shared.contracts.messages import IocPageLanded
from shared.contracts.outcomes import Misconfigured
from shared.streams.definition import find_stream
from shared.streams.page_log import PageLog

# A larger range would flood Pub/Sub.
MAX_AT_ONCE = 2000


def replay_pages(bucket: Bucket, publisher: Publisher, stream: str, first: int, last: int) -> int:
    """Publish the messages of pages, both ends included; return their number. Delivered pages stay delivered."""
    if not first <= last < first + MAX_AT_ONCE:
        raise Misconfigured(f"pages {first} to {last}: name the first and the last, at most {MAX_AT_ONCE} pages")
    return publisher.publish(*_messages(PageLog(bucket, find_stream(stream).name), first, last))


def _messages(log: PageLog, first: int, last: int) -> Iterator[IocPageLanded]:
    for sequence in range(first, last + 1):
        page = log.read(sequence)
        if page is None:
            raise Misconfigured(f"the log has no page {sequence}")
        yield log.message(page.head, len(page.items))
