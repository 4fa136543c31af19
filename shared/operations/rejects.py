"""The rejected lines of a minute: refused by the downloader, or by BigQuery when it was loaded."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.contracts.interfaces import Bucket
from shared.contracts.manifests import load_rejects_name, read_manifest
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import format_minute
from shared.contracts.outcomes import MeshError, Misconfigured
from shared.contracts.validation_errors import describe_errors
from shared.feeds.definition import find_feed


class NotLanded(MeshError):
    """The minute has no manifest."""


@dataclass(frozen=True)
class Reject:
    """One line: its number in the package, the reason, and the line; bytes that are not UTF-8 are in base64."""

    feed_line: int | None
    reason: str
    line: str
    base64: bool = False

    def report(self) -> dict[str, object]:
        """Return the line for the JSON report."""
        return asdict(self)


class _Record(BaseModel):
    """A line of a rejects object (services/downloader/lines.py, services/loader/rejects.py)."""

    model_config = ConfigDict(frozen=True)

    feed_line: Annotated[int, Field(ge=1)] | None = None
    reason: str
    line: str | None = None
    line_base64: str | None = None

    def reject(self) -> Reject:
        if self.line is None and self.line_base64 is not None:
            return Reject(self.feed_line, self.reason, self.line_base64, base64=True)
        return Reject(self.feed_line, self.reason, self.line or "")


def read_rejects(bucket: Bucket, feed: str, minute: datetime) -> list[Reject]:
    """Return a minute's rejected lines; raise NotLanded, or Misconfigured for an object that is gone or spoilt."""
    landed = read_manifest(bucket, find_feed(feed).name, minute)
    if landed is None:
        raise NotLanded(f"minute {format_minute(minute)} of {feed} has not landed: {bucket.name} has no manifest of it")
    return [record.reject() for name in _objects(bucket, landed) for record in _records(bucket, name)]


def _objects(bucket: Bucket, landed: MinuteLanded) -> Iterator[str]:
    if landed.rejects_uri:
        yield bucket.name_of(landed.rejects_uri)
    refused = load_rejects_name(bucket, landed)
    yield from (name for name in bucket.names(refused) if name == refused)


def _records(bucket: Bucket, name: str) -> Iterator[_Record]:
    stored = bucket.read(name)
    if stored is None:
        raise Misconfigured(f"{bucket.uri(name)} does not exist any more; its lines are not stored anywhere else")
    for line in stored.data.splitlines():
        try:
            yield _Record.model_validate_json(line)
        except ValidationError as error:
            raise Misconfigured(f"{bucket.uri(name)} cannot be read: {describe_errors(error)}") from None
