"""Messages about a stream or feed that is not switched on in this revision: acked if the poll publishes them again.

While a stream is being switched on, one service gets the new revision before the other. Once it is on, the poll
publishes pages (poll/republish.py) and landings (poll/landing_republish.py) that are not delivered. It does not publish
those that were given up, nor those before the point up to which all are settled: only an operator's command sends them.
Such a message becomes a dead letter, which can be redriven.
"""

import logging
from datetime import datetime

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import IocPageLanded, MinuteAbsent, MinuteLanded
from shared.contracts.outcomes import Poison
from shared.streams.definition import known_streams
from shared.streams.delivery_progress import Delivery, find_delivery, read_delivery
from shared.streams.forwarded import FORWARDED_FEEDS
from shared.streams.landing_log import (
    ForwardingStore,
    is_landing,
    landed_hour,
    landing_delivery_name,
    manifest_created,
    read_landing,
)
from shared.streams.page_log import PublishedStore, page_name

log = logging.getLogger(__name__)


def leave_to_the_poll(bucket: Bucket, message: IocPageLanded, reason: str, now: datetime) -> None:
    """Return if nothing is left to deliver, or the poll will publish the message again once the stream is on.

    Otherwise raise Poison("stream_off"): also for a single item that was set aside, which is never published again.
    """
    if not _is_published_again(bucket, message, now):
        raise Poison("stream_off", reason)
    log.info("secops.stream_off: %s; the poll publishes the page again", reason)


def leave_landing_to_the_poll(bucket: Bucket, event: MinuteLanded | MinuteAbsent, reason: str) -> None:
    """Return for the first message of a landing, unless the landing was given up: then raise Poison("stream_off").

    What landed before the feed was switched on is not owed to SecOps; its message comes from a replay for BigQuery.
    """
    if isinstance(event, MinuteAbsent) or event.feed not in FORWARDED_FEEDS:
        return
    delivery = read_delivery(bucket, landing_delivery_name(bucket, event.uri))
    if delivery and delivery.reason is not None:
        raise Poison("stream_off", reason)


def _is_published_again(bucket: Bucket, message: IocPageLanded, now: datetime) -> bool:
    if message.stream in FORWARDED_FEEDS:
        return is_landing(bucket, message) and _is_announced_again(bucket, message, now)
    name = page_name(message.stream, message.sequence)
    if message.stream not in known_streams() or message.uri != bucket.uri(name) or name not in bucket.names(name):
        return False
    hint, _ = PublishedStore(bucket, message.stream).read()
    return _needs_no_letter(find_delivery(bucket, name), watched=message.sequence > hint.settled)


def _is_announced_again(bucket: Bucket, message: IocPageLanded, now: datetime) -> bool:
    hour = landed_hour(bucket, message)
    landed, created = read_landing(bucket, message.stream, hour), manifest_created(bucket, message.stream, hour)
    if landed is None or created is None or landed.uri != message.uri:
        return False
    state, _ = ForwardingStore(bucket, message.stream).read()
    watched = state is not None and state.watches(created, now)
    return _needs_no_letter(read_delivery(bucket, landing_delivery_name(bucket, landed.uri)), watched=watched)


def _needs_no_letter(delivery: Delivery | None, *, watched: bool) -> bool:
    if delivery is None:
        return watched
    return delivery.finished or (watched and delivery.reason is None)
