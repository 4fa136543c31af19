"""The messages of the mesh, one model per event. Bodies are JSON; fields are only ever added.

| topic            | message                       |
|------------------|-------------------------------|
| `feed-minutes`   | MinuteRequested               |
| `minutes-landed` | MinuteLanded or MinuteAbsent  |
| `ioc-pages`      | IocPageLanded                 |
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from shared.contracts.minutes import Minute, format_minute

FEED_MINUTES = "feed-minutes"
MINUTES_LANDED = "minutes-landed"
IOC_PAGES = "ioc-pages"

M = TypeVar("M")

# Names become parts of object and table names, so nothing but these characters may pass.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Crc32c = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
Count = Annotated[int, Field(ge=0)]


def dead_letter_topic(topic: str) -> str:
    """Return the dead-letter topic of a topic."""
    return f"{topic}-dead"


class Message(BaseModel):
    """The base of all messages: the topic, the body, and the attributes used by subscription filters."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]

    @property
    def body(self) -> bytes:
        """The JSON body as published."""
        return self.model_dump_json().encode()

    @property
    def attributes(self) -> dict[str, str]:
        """The message's attributes."""
        return {}


class FeedMinute(Message):
    """A message about one minute of one feed."""

    feed: Name
    minute: Minute

    @property
    def attributes(self) -> dict[str, str]:
        """Feed and minute, so that subscriptions can filter by them."""
        return {"feed": self.feed, "minute": format_minute(self.minute)}


class MinuteRequested(FeedMinute):
    """Ask a downloader to land one feed minute; force fetches a minute again that has landed already.

    reason is schedule, sweep or replay, or any text from an operator who publishes by hand.
    """

    topic: ClassVar[str] = FEED_MINUTES

    reason: str = "replay"
    force: bool = False


class MinuteLanded(FeedMinute):
    """One feed minute is complete in Cloud Storage; these fields are also its manifest.

    lines counts the package's lines (rejected ones included), bytes the decompressed package,
    and crc32c is its checksum in eight hexadecimal digits. object_crc32c and rejects_crc32c are those of the two
    objects as stored, so that a listing shows whether one has changed; landings of the first release have none.
    """

    topic: ClassVar[str] = MINUTES_LANDED

    event: Literal["landed"] = "landed"
    uri: str
    rejects_uri: str | None = None
    crc32c: Crc32c
    lines: Count
    rejected: Count
    bytes: Count
    landed_at: AwareDatetime
    object_crc32c: Crc32c | None = None
    rejects_crc32c: Crc32c | None = None


class MinuteAbsent(FeedMinute):
    """The source has no package for this minute, and it is too late for one to appear."""

    topic: ClassVar[str] = MINUTES_LANDED

    event: Literal["absent"] = "absent"
    checked_at: AwareDatetime


class IocPageLanded(Message):
    """One page of an IOC stream is in Cloud Storage."""

    topic: ClassVar[str] = IOC_PAGES

    stream: Name
    sequence: Count
    uri: str
    items: Count
    first_date: datetime | None
    last_date: datetime | None
    landed_at: AwareDatetime

    @property
    def attributes(self) -> dict[str, str]:
        """Stream and sequence, so that subscriptions can filter by them."""
        return {"stream": self.stream, "sequence": str(self.sequence)}


LandingEvent = Annotated[MinuteLanded | MinuteAbsent, Field(discriminator="event")]


@dataclass(frozen=True)
class Topic(Generic[M]):
    """A topic and the parser of its message bodies."""

    name: str
    adapter: TypeAdapter[M]

    def read(self, body: bytes) -> M:
        """Parse a message body; raise pydantic's ValidationError if it is invalid."""
        return self.adapter.validate_json(body)


minute_requested: Topic[MinuteRequested] = Topic(FEED_MINUTES, TypeAdapter(MinuteRequested))
landing_event: Topic[MinuteLanded | MinuteAbsent] = Topic(MINUTES_LANDED, TypeAdapter(LandingEvent))
ioc_page_landed: Topic[IocPageLanded] = Topic(IOC_PAGES, TypeAdapter(IocPageLanded))
