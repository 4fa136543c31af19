"""Announce again the landings of a feed that are not delivered, as poll/republish.py does it for pages.

What landed before the feed was switched on is not announced; `gti-mesh secops replay` sends it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.secops_forwarder.poll.republish import REPUBLISH_EVERY, is_due
from shared.contracts.interfaces import Bucket, Publisher
from shared.contracts.messages import MinuteLanded
from shared.contracts.outcomes import Misconfigured
from shared.streams.landing_log import (
    Forwarding,
    ForwardingStore,
    landing_delivery,
    landing_message,
    manifests_since,
    read_landing,
)

# Longer than a listing takes: what it does not have yet landed later than this before the newest landing in it.
_SKEW = timedelta(minutes=10)
# The limit of one poll, with up to two objects read for each; the next poll continues.
_MAX_LANDINGS = 200

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

    def poll(self, feed: str, until: datetime) -> LandingPoll:
        """Announce overdue landings, until a time; the first poll of a feed records that it is on."""
        now, store = self._now(), ForwardingStore(self._bucket, feed)
        state, generation = store.read()
        if state is None or not state.lasts(now):
            # After so long a pause the feed has been off; its backlog would be weeks of hours.
            store.save(Forwarding(since=now, settled=now, swept_at=now), generation)
            log.info("secops.feed_on: hours of %s that land from now on are sent, earlier ones by a replay", feed)
            return LandingPoll()
        if state.looking_since is None and now - state.swept_at < REPUBLISH_EVERY:
            return LandingPoll()
        look = self._look(feed, state, now, until)
        for landed in look.due:
            log.warning("secops.republished: %s has not been delivered since %s", landed.uri, landed.landed_at)
        self._publisher.publish(*map(landing_message, look.due))
        # False: another poll saved its own check, which is also correct.
        store.save(look.reached(), generation)
        return LandingPoll(look.undelivered, len(look.due))

    def _look(self, feed: str, state: Forwarding, now: datetime, until: datetime) -> "_Look":
        """Look at landings in the order in which they landed, from the first that is not settled on."""
        found = [(one.created, hour) for hour, one in manifests_since(self._bucket, feed, state.settled)]
        left = sorted(one for one in found if one[0] >= state.settled)
        look = _Look(state, began=state.looking_since or now, newest=left[-1][0] if left else state.settled)
        for created, hour in left:
            if look.need_not_be_read(created):
                continue
            if look.landings >= _MAX_LANDINGS or self._now() > until:
                look.finished = False
                break
            look.add(created, *self._undelivered(feed, hour))
        return look

    def _undelivered(self, feed: str, hour: datetime) -> tuple[bool, MinuteLanded | None]:
        """Return whether an hour is neither delivered nor given up, and its landing, or None if it cannot be read."""
        try:
            landed = read_landing(self._bucket, feed, hour)
            return landed is not None and not self._is_settled(landed), landed
        except Misconfigured as error:
            # It is not settled: once its delivery has been deleted, the landing is announced.
            log.error("secops.landing_unreadable: %s", error)
            return True, None

    def _is_settled(self, landed: MinuteLanded) -> bool:
        delivery = landing_delivery(self._bucket, landed)
        return delivery.finished or delivery.reason is not None


@dataclass
class _Look:
    """What one poll has seen of a check that may take several polls."""

    state: Forwarding
    began: datetime
    newest: datetime
    finished: bool = True
    landings: int = 0
    undelivered: int = 0
    due: list[MinuteLanded] = field(default_factory=list)
    _last: datetime | None = None
    _oldest: datetime | None = None

    def need_not_be_read(self, created: datetime) -> bool:
        """Return whether an earlier poll of this check has looked at a landing that `settled` cannot pass."""
        return self._looked_at(created) and (self._oldest is not None or created > self.newest - _SKEW)

    def add(self, created: datetime, undelivered: bool, landed: MinuteLanded | None) -> None:
        """Count a landing, and keep it if it is due."""
        self.landings += 1
        self._last = created
        if not undelivered:
            return
        self.undelivered += 1
        self._oldest = self._oldest or created
        if landed and not self._looked_at(created) and is_due(created, self.state.swept_at, self.began):
            self.due.append(landed)

    def reached(self) -> Forwarding:
        """Return the forwarding after this poll.

        Only times of the bucket's clock decide up to where everything is settled.
        """
        passed = min(self._oldest or self._last or self.state.settled, self.newest - _SKEW)
        settled = max(self.state.settled, passed)
        if self.finished:
            done = {"settled": settled, "swept_at": self.began, "looking_since": None, "looked": None}
            return self.state.model_copy(update=done)
        looked = max(filter(None, (self.state.looked, self._last)), default=None)
        return self.state.model_copy(update={"settled": settled, "looking_since": self.began, "looked": looked})

    def _looked_at(self, created: datetime) -> bool:
        return self.state.looked is not None and created <= self.state.looked
