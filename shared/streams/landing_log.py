"""The landings of a feed as a log for SecOps: each is delivered as a page of a stream is, with a delivery object.

The first message of a landing comes from `minutes-landed`; any other one is that of a page, with the address of the
lines and the number of the hour. The delivery is that of one landing: if the hour lands again, every line is sent.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.contracts.interfaces import Bucket, Listed
from shared.contracts.manifests import read_manifest_as
from shared.contracts.messages import IocPageLanded, MinuteLanded
from shared.contracts.minutes import HORIZON, ONE_HOUR, day_folder, manifest_minute, manifest_name
from shared.contracts.outcomes import Poison
from shared.contracts.stored_objects import read_stored
from shared.streams.delivery_progress import Delivery, read_delivery
from shared.streams.page_log import PageHead, landed_message

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_LINES = ".ndjson.gz"


def hour_number(hour: datetime) -> int:
    """Return the number of an hour since 1970, which is a landing's sequence: successive hours are successive."""
    return (hour - _BEGIN) // ONE_HOUR


def hour_of(number: int) -> datetime:
    """Return the hour with a number."""
    return _BEGIN + number * ONE_HOUR


def is_landing(bucket: Bucket, message: IocPageLanded) -> bool:
    """Return whether a message is about the landing of a feed, and not about a page."""
    return message.uri.startswith(bucket.uri(f"{message.stream}/")) and message.uri.endswith(_LINES)


def landing_hour(bucket: Bucket, uri: str) -> datetime | None:
    """Return the hour of the landing at an address, or None if the address is not that of a landing."""
    stem = bucket.name_of(uri).rpartition("-")[0]
    return manifest_minute(f"{stem}.json")


def landed_hour(bucket: Bucket, message: IocPageLanded) -> datetime:
    """Return the hour of the landing that a message is about; raise Poison if it is about no landing."""
    if hour := landing_hour(bucket, message.uri):
        return hour
    raise Poison("invalid_message", f"{message.uri} is not a landing of {message.stream!r}")


def landing_delivery_name(bucket: Bucket, uri: str) -> str:
    """Return the name of the object that holds the delivery of a landing's lines."""
    feed, _, name = bucket.name_of(uri).partition("/")
    return f"{landing_deliveries(feed)}{name.removesuffix(_LINES)}.delivery.json"


def landing_delivery(bucket: Bucket, landed: MinuteLanded) -> Delivery:
    """Return the delivery of a landing's lines; one that has not begun has all of them left."""
    return read_delivery(bucket, landing_delivery_name(bucket, landed.uri)) or Delivery(items=items_of(landed))


def landing_deliveries(feed: str) -> str:
    """Return the prefix of the names of a feed's deliveries, which are in the order of the hours."""
    return f"streams/{feed}/landings/"


class Landing(MinuteLanded):
    """A landing by its manifest; what reads one announces it as a page, and not as landed."""


def read_landing(bucket: Bucket, feed: str, hour: datetime) -> Landing | None:
    """Return an hour's landing, or None if it has not landed; raise Misconfigured if its manifest is invalid."""
    return read_manifest_as(Landing, bucket, feed, hour)


def items_of(landed: MinuteLanded) -> int:
    """Return the number of lines that a landing's object has."""
    return landed.lines - landed.rejected


def aside_stem(landed: MinuteLanded) -> str:
    """Return the beginning of the names of a landing's lines that are set aside: its hour and its checksum."""
    return f"{hour_number(landed.minute):010d}-{int(landed.crc32c, 16):010d}"


def landing_head(landed: MinuteLanded) -> PageHead:
    """Return a landing as the page that its lines make."""
    hour = landed.minute
    return PageHead(
        stream=landed.feed,
        sequence=hour_number(hour),
        signature="",
        filter="",
        cursor=None,
        began=hour,
        since=hour,
        watermark=hour,
        first_date=hour,
        last_date=hour,
        landed_at=landed.landed_at,
        seen={},
    )


def landing_message(landed: MinuteLanded) -> IocPageLanded:
    """Return the message by which a landing is delivered again."""
    return landed_message(landing_head(landed), items_of(landed), landed.uri)


def manifests_since(bucket: Bucket, feed: str, moment: datetime) -> Iterator[tuple[datetime, Listed]]:
    """Yield the hours of manifests that can have been created since a moment: those that the source served then."""
    first = day_folder(feed, (moment - HORIZON - timedelta(days=1)).date())
    for listed in bucket.listed(f"{feed}/", first):
        if hour := manifest_minute(listed.name):
            yield hour, listed


def manifest_created(bucket: Bucket, feed: str, hour: datetime) -> datetime | None:
    """Return when the manifest of an hour was created by the bucket's clock, or None if the hour has not landed."""
    name = manifest_name(feed, hour)
    return next((listed.created for listed in bucket.listed(name, name)), None)


class Forwarding(BaseModel):
    """Since when a feed's landings are sent, and up to when all that landed are delivered or given up.

    swept_at is when the last check of all landings since then began. A check that is not finished began at
    looking_since, and has looked at what landed up to looked. settled and looked are times of the bucket's clock.
    """

    model_config = ConfigDict(frozen=True)

    since: AwareDatetime
    settled: AwareDatetime
    swept_at: AwareDatetime
    looking_since: AwareDatetime | None = None
    looked: AwareDatetime | None = None

    def covers(self, landed: datetime) -> bool:
        """Return whether what landed at a time is to be delivered; the feed may be off since the last check."""
        return self.since <= landed <= self.swept_at

    def lasts(self, now: datetime) -> bool:
        """Return whether the next poll continues from here: after a pause of a week it begins with what lands then."""
        return now - self.swept_at <= HORIZON

    def watches(self, created: datetime, now: datetime) -> bool:
        """Return whether polls announce a landing, whose manifest was created then, until it is delivered."""
        return self.lasts(now) and self.settled <= created


class ForwardingStore:
    """The forwarding of one feed in a bucket; the first poll with the feed switched on begins it."""

    def __init__(self, bucket: Bucket, feed: str) -> None:
        self._bucket = bucket
        self._name = f"state/streams/landings/{feed}.json"

    def read(self) -> tuple[Forwarding | None, int]:
        """Return the forwarding and its generation, or None and 0 if it has never been switched on."""
        remedy = "delete it; only hours that land after the next poll are then sent by themselves"
        return read_stored(self._bucket, self._name, Forwarding, remedy=remedy)

    def save(self, forwarding: Forwarding, generation: int) -> bool:
        """Replace the forwarding read at this generation; return False if another run saved first."""
        return self._bucket.replace(self._name, forwarding.model_dump_json().encode(), generation)
