"""Pages of a stream's log, written without a poll."""

from datetime import datetime

from shared.streams.definition import find_stream
from shared.streams.page_log import PageHead


def page_head(sequence: int, landed_at: datetime, stream: str = "ioc_stream") -> PageHead:
    """Return the head of a page that landed at a time."""
    return PageHead(
        stream=stream,
        sequence=sequence,
        signature=find_stream(stream).signature(),
        filter="",
        cursor=None,
        began=landed_at,
        since=landed_at,
        watermark=landed_at,
        first_date=landed_at,
        last_date=landed_at,
        landed_at=landed_at,
        seen={},
    )
