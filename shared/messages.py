"""The messages of the mesh, one model per event; bodies are JSON, changed only by addition.

| topic            | message                       |
|------------------|-------------------------------|
| `feed-minutes`   | MinuteRequested               |
| `minutes-landed` | MinuteLanded or MinuteAbsent  |
| `ioc-pages`      | IocPageLanded                 |
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from shared.minutes import Minute, format_minute

FEED_MINUTES = "feed-minutes"
MINUTES_LANDED = "minutes-landed"
IOC_PAGES = "ioc-pages"

# Names become parts of object and table names, so nothing but these characters may pass.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Count = Annotated[int, Field(ge=0)]


def dead_letter_topic(topic: str) -> str:
    """Return the topic that holds what a topic's subscriber could not do."""
    return f"{topic}-dead"


class Message(BaseModel):
    """What every message can do: be written as a body, and say how to filter it by attributes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def body(self) -> bytes:
        """Return the JSON body as published."""
        return self.model_dump_json().encode()

    def attributes(self) -> dict[str, str]:
        """Return the attributes that travel beside the body."""
        return {}


class FeedMinute(Message):
    """A message about one minute of one feed."""

    feed: Name
    minute: Minute

    def attributes(self) -> dict[str, str]:
        """Return feed and minute, so that a subscription can filter by them."""
        return {"feed": self.feed, "minute": format_minute(self.minute)}


class MinuteRequested(FeedMinute):
    """Ask a downloader to land one feed minute; force fetches a minute again that has landed already."""

    reason: Literal["schedule", "sweep", "replay"] = "replay"
    force: bool = False


class MinuteLanded(FeedMinute):
    """One feed minute lies whole in Cloud Storage; these fields are also its manifest.

    lines counts the package's lines (rejected ones included), bytes the decompressed package,
    and crc32c is its checksum in eight hexadecimal digits.
    """

    event: Literal["landed"] = "landed"
    uri: str
    rejects_uri: str | None = None
    crc32c: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    lines: Count
    rejected: Count
    bytes: Count
    landed_at: AwareDatetime


class MinuteAbsent(FeedMinute):
    """The source has no package for this minute and is past the time at which it would still come."""

    event: Literal["absent"] = "absent"
    checked_at: AwareDatetime


class IocPageLanded(Message):
    """One page of an IOC stream lies in Cloud Storage."""

    stream: Name
    sequence: Count
    uri: str
    items: Count
    first_date: datetime | None
    last_date: datetime | None
    landed_at: AwareDatetime

    def attributes(self) -> dict[str, str]:
        """Return stream and sequence, so that a subscription can filter by them."""
        return {"stream": self.stream, "sequence": str(self.sequence)}


LandingEvent = Annotated[MinuteLanded | MinuteAbsent, Field(discriminator="event")]

minute_requested: TypeAdapter[MinuteRequested] = TypeAdapter(MinuteRequested)
landing_event: TypeAdapter[MinuteLanded | MinuteAbsent] = TypeAdapter(LandingEvent)
