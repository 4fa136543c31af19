"""Which content of a minute was taken in: one small object per minute, created before the first load, never changed.

A minute's rows are identified by their line numbers, so two contents of one minute would mix. The record lies apart
from the minute's other objects, so that it remains when a manifest is deleted.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import Crc32c, MinuteLanded
from shared.contracts.minutes import landing_name
from shared.contracts.outcomes import Retryable
from shared.contracts.stored_objects import read_stored


class Content(BaseModel):
    """The content of a minute: the CRC32C of the decompressed package, and the object that has its lines."""

    model_config = ConfigDict(frozen=True)

    crc32c: Crc32c
    uri: str


class Contents:
    """The records in the bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def read(self, feed: str, minute: datetime) -> Content | None:
        """Return the content that was taken in, or None; raise Misconfigured for a damaged record."""
        remedy = "delete it, and `gti-mesh audit` tells whether the minute is in order"
        return read_stored(self._bucket, content_name(feed, minute), Content, remedy=remedy)[0]

    def take(self, landed: MinuteLanded) -> Content:
        """Record a landing's content as the minute's, unless there is a record; return what is on record."""
        content = Content(crc32c=landed.crc32c, uri=landed.uri)
        name = content_name(landed.feed, landed.minute)
        if self._bucket.create(name, content.model_dump_json().encode()):
            return content
        if known := self.read(landed.feed, landed.minute):
            return known
        raise Retryable(f"{self._bucket.uri(name)} existed and is gone")


def content_name(feed: str, minute: datetime) -> str:
    """Return the object that records which content of a minute was taken in."""
    return f"state/content/{landing_name(feed, minute)}.json"
