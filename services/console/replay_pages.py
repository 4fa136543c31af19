"""`gti-mesh secops replay`: tell of pages of a stream's log again."""

from collections.abc import Iterator

from shared.messages import IOC_PAGES
from shared.outcomes import Misconfigured
from shared.ports import Bucket, Outgoing, Publisher
from shared.secops.pages import PageLog
from shared.streams import find_stream

# More is a backlog that Pub/Sub has, or a log to be delivered anew on purpose.
MOST_AT_ONCE = 2000


def replay_pages(bucket: Bucket, publisher: Publisher, stream: str, first: int, last: int) -> int:
    """Publish the messages of pages, both ends included, and return their number; what is delivered stays so."""
    if not first <= last < first + MOST_AT_ONCE:
        raise Misconfigured(f"pages {first} to {last}: name the first and the last, at most {MOST_AT_ONCE} pages")
    return publisher.publish(IOC_PAGES, _messages(PageLog(bucket, find_stream(stream).name), first, last))


def _messages(log: PageLog, first: int, last: int) -> Iterator[Outgoing]:
    for sequence in range(first, last + 1):
        page = log.read(sequence)
        if page is None:
            raise Misconfigured(f"the log has no page {sequence}")
        message = log.message(page.head, len(page.items))
        yield Outgoing(message.body(), message.attributes())
