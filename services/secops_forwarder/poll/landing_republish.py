"""Announce again the landings of a feed that are not delivered, as poll/republish.py does it for pages.

What landed before the feed was switched on is not announced; `gti-mesh secops replay` sends it.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.secops_forwarder.poll.republish import REPUBLISH_EVERY, is_due
from shared.contracts.interfaces import Bucket, Publisher
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import HORIZON
from shared.contracts.outcomes import Misconfigured
from shared.streams.delivery_progress import read_delivery
from shared.streams.landing_log import (
    Forwarding,
    ForwardingStore,
    items_of,
    landing_delivery_name,
    landing_message,
    manifests_since,
    read_landing,
)

# More than the clocks of Cloud Storage and the poll differ, and longer than a delivery takes.
_SKEW = timedelta(minutes=10)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LandingPoll:
    """The result of one check: landings not known to be delivered, and those among them that were announced."""

    undelivered: int = 0
    announced: int = 0


class LandingRepublisher:
    """Checks the landings of feeds that are switched on."""

    def __init__(self, bucket: Bucket, publisher: Publisher, now: Callable[[], datetime]) -> None:
        self._bucket = bucket
        self._publisher = publisher
        self._now = now

    def poll(self, feed: str) -> LandingPoll:
        """Announce overdue landings; the first poll of a feed records that it is on."""
        now, store = self._now(), ForwardingStore(self._bucket, feed)
        state, generation = store.read()
        if state is None or now - state.swept_at > HORIZON:
            # After so long a pause the feed has been off; its backlog would be weeks of hours.
            store.save(Forwarding(since=now, settled=now, swept_at=now), generation)
            log.info("secops.feed_on: hours of %s that land from now on are sent, earlier ones by a replay", feed)
            return LandingPoll()
        if now - state.swept_at < REPUBLISH_EVERY:
            return LandingPoll()
        waiting = list(self._waiting(feed, state))
        due = [landed for landed, created in waiting if landed and is_due(created, state.swept_at, now)]
        for landed in due:
            log.warning("secops.republished: %s has not been delivered since %s", landed.uri, landed.landed_at)
        self._publisher.publish(*map(landing_message, due))
        settled = max(state.settled, min((created for _, created in waiting), default=now - _SKEW))
        # False: another poll saved its own check, which is also correct.
        store.save(state.model_copy(update={"settled": settled, "swept_at": now}), generation)
        return LandingPoll(len(waiting), len(due))

    def _waiting(self, feed: str, state: Forwarding) -> Iterator[tuple[MinuteLanded | None, datetime]]:
        """Yield the landings that are neither delivered nor given up, and when each landed; None: cannot be read."""
        for hour, listed in manifests_since(self._bucket, feed, state.settled):
            if listed.created < state.settled:
                continue
            try:
                landed = read_landing(self._bucket, feed, hour)
                if landed and not self._is_settled(landed):
                    yield landed, listed.created
            except Misconfigured as error:
                # It is not settled: once its delivery has been deleted, the landing is announced.
                log.error("secops.landing_unreadable: %s", error)
                yield None, listed.created

    def _is_settled(self, landed: MinuteLanded) -> bool:
        delivery = read_delivery(self._bucket, landing_delivery_name(self._bucket, landed.uri))
        return not items_of(landed) or (delivery is not None and (delivery.finished or delivery.reason is not None))
