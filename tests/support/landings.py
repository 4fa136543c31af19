"""Landed hours of threat lists as the downloader writes them, and a forwarder that sends them."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.downloader.landing import land
from services.secops_forwarder.poll.landing_republish import LandingPoll, LandingRepublisher
from shared.contracts.interfaces import Bucket
from shared.contracts.messages import IOC_PAGES, IocPageLanded, MinuteLanded, dead_letter_topic
from shared.contracts.minutes import manifest_name
from shared.contracts.outcomes import Poison
from shared.feeds.definition import THREAT_LISTS, find_feed
from shared.streams.delivery_progress import Delivery, read_delivery
from shared.streams.forwarded import ForwardedFeed
from shared.streams.landing_log import landing_delivery_name
from tests.support.doubles import NOON
from tests.support.streams import ImporterHarness

HOUR = NOON - timedelta(hours=3)
FEED = ForwardedFeed(THREAT_LISTS, "GCP_THREATINTEL")


def element(number: int, **attributes: object) -> dict[str, Any]:
    """Return an element of a list."""
    return {"data": {"type": "domain", "id": f"host-{number}.example", "attributes": {"tags": [], **attributes}}}


def line_of(one: dict[str, Any], threat_list: str = "ransomware") -> bytes:
    """Return a line as the downloader makes it of an element."""
    return b'{"threat_list":%b,%b\n' % (json.dumps(threat_list).encode(), json.dumps(one).encode()[1:])


def land_hour(bucket: Bucket, lines: Iterable[bytes], hour: datetime = HOUR) -> MinuteLanded:
    """Land an hour of these lines, in place of what has landed before; return its message."""
    landed = land(bucket, THREAT_LISTS, hour, lines, find_feed(THREAT_LISTS).identity)
    landed = landed.model_copy(update={"landed_at": hour + timedelta(hours=2)})
    bucket.delete(manifest_name(THREAT_LISTS, hour))
    assert bucket.create(manifest_name(THREAT_LISTS, hour), landed.body)
    return landed


class LandingHarness(ImporterHarness):
    """An importer with a feed of hours, and the poll's check for undelivered landings."""

    def __init__(self) -> None:
        super().__init__()
        self.feeds = [FEED]

    def land(self, count: int, hour: datetime = HOUR) -> MinuteLanded:
        """Land an hour with this many elements."""
        return land_hour(self.bucket, map(line_of, map(element, range(count))), hour)

    def poll(self, *, minutes: float = 1) -> LandingPoll:
        """Check for undelivered landings, in a poll that has this much time."""
        until = self.now() + timedelta(minutes=minutes)
        return LandingRepublisher(self.bucket, self.pubsub, self.now).poll(THREAT_LISTS, until)

    def give_up(self, landed: MinuteLanded) -> None:
        """Lose a landing's lines, and push its message."""
        self.bucket.delete(self.bucket.name_of(landed.uri))
        with pytest.raises(Poison):
            self.importer().landings.handle(landed)

    def announced(self) -> list[IocPageLanded]:
        """Return the messages about landings that the poll published."""
        return [IocPageLanded.model_validate_json(one.body) for one in self.pubsub.published[IOC_PAGES]]

    def dead(self) -> list[IocPageLanded]:
        """Return the messages about lines that were set aside."""
        letters = self.pubsub.published[dead_letter_topic(IOC_PAGES)]
        return [IocPageLanded.model_validate_json(one.body) for one in letters]

    def delivery(self, landed: MinuteLanded) -> Delivery:
        """Return a landing's delivery."""
        found = read_delivery(self.bucket, landing_delivery_name(self.bucket, landed.uri))
        assert found
        return found


def ids(count: int) -> Counter[str]:
    """Return the ids of this many elements once each."""
    return Counter(f"host-{number}.example" for number in range(count))
