"""Pages of a stream that is not switched on in this revision, as for feeds: acked when they are published again later.

While a stream is being switched on, one service gets the new revision before the other. The poll publishes a page again
that is not delivered (services/secops_forwarder/poll/republish.py), so its message need not become a dead letter.
"""

import logging

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import IocPageLanded
from shared.contracts.outcomes import Poison
from shared.streams.definition import known_streams
from shared.streams.delivery_progress import find_delivery
from shared.streams.forwarded import FORWARDED_FEEDS
from shared.streams.landing_log import is_landing
from shared.streams.page_log import page_name

log = logging.getLogger(__name__)


def leave_to_the_poll(bucket: Bucket, message: IocPageLanded, reason: str) -> None:
    """Return if the poll will publish this message again once the stream is on; otherwise raise Poison("stream_off").

    It publishes the pages of a known stream's log, unless they are given up: such a message is a dead letter that was
    redriven too early, and so is that of a single item that was set aside.
    """
    if not _is_published_again(bucket, message):
        raise Poison("stream_off", reason)
    log.info("secops.stream_off: %s; the poll publishes the page again", reason)


def _is_published_again(bucket: Bucket, message: IocPageLanded) -> bool:
    if message.stream in FORWARDED_FEEDS:
        return is_landing(bucket, message) and message.uri in map(bucket.uri, bucket.names(bucket.name_of(message.uri)))
    name = page_name(message.stream, message.sequence)
    if message.stream not in known_streams() or message.uri != bucket.uri(name) or name not in bucket.names(name):
        return False
    delivery = find_delivery(bucket, name)
    return delivery is None or delivery.reason is None
