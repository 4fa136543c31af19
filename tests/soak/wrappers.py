"""The ports with fault points around every step that changes something."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.merger.transactions import RunSql
from services.secops_forwarder.importer.sending import Imports
from shared.contracts.interfaces import (
    Bucket,
    Ledger,
    LedgerRow,
    Listed,
    MinuteState,
    Origin,
    Outgoing,
    Publisher,
    Stored,
    Writer,
)
from shared.contracts.messages import Message
from shared.feeds.definition import Feed
from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.storage import landing_bucket
from shared.runtime.settings import MeshSettings
from shared.warehouse.staging import LinesKept, LoadEnd, LoadJob, Staging
from tests.soak.points import Points

# Long enough for the script to be under way, and shorter than it takes.
_INTO_THE_MERGE = 0.15


@dataclass(frozen=True)
class MortalBucket:
    """A bucket of a service that may die."""

    bucket: Bucket
    points: Points

    @property
    def name(self) -> str:
        """The bucket's name."""
        return self.bucket.name

    def uri(self, name: str) -> str:
        """Return the address of an object."""
        return self.bucket.uri(name)

    def name_of(self, uri: str) -> str:
        """Return the name of the object at an address."""
        return self.bucket.name_of(uri)

    def read(self, name: str) -> Stored | None:
        """Return an object."""
        return self.bucket.read(name)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield an object in pieces."""
        return self.bucket.pieces(name)

    def create(self, name: str, data: bytes, content_type: str = "application/json") -> bool:
        """Write a new object."""
        with self.points.around("create"):
            return self.bucket.create(name, data, content_type)

    def replace(self, name: str, data: bytes, generation: int) -> bool:
        """Replace an object."""
        with self.points.around("replace"):
            return self.bucket.replace(name, data, generation)

    @contextmanager
    def writing(self, name: str, content_type: str) -> Iterator[Writer]:
        """Stream a new object; the point before its end is in the middle of the upload."""
        with self.bucket.writing(name, content_type) as writer:
            yield writer
            self.points.reach("write.before")

    def delete(self, name: str) -> None:
        """Delete an object."""
        with self.points.around("delete"):
            self.bucket.delete(name)

    def names(self, prefix: str) -> Iterable[str]:
        """Return the names with a prefix."""
        return self.bucket.names(prefix)

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return the objects with a prefix, starting at a name."""
        return self.bucket.listed(prefix, start)

    def next_name(self, prefix: str, start: str) -> str | None:
        """Return the first name with a prefix, starting at a name."""
        return self.bucket.next_name(prefix, start)


@dataclass(frozen=True)
class MortalPublisher:
    """A publisher of a service that may die."""

    publisher: Publisher
    points: Points

    def publish(self, *messages: Message | Outgoing) -> int:
        """Publish all messages."""
        with self.points.around("publish"):
            return self.publisher.publish(*messages)


@dataclass(frozen=True)
class MortalLedger:
    """A ledger of a service that may die."""

    ledger: Ledger
    points: Points

    def states(self, feed: str, first: datetime, last: datetime) -> Sequence[MinuteState]:
        """Return the known states."""
        return self.ledger.states(feed, first, last)

    def origin(self, feed: str, first: datetime, last: datetime) -> Origin:
        """Return where a feed begins."""
        return self.ledger.origin(feed, first, last)

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Append rows; the step is named after their events."""
        with self.points.around(rows[0].event):
            self.ledger.record(rows)


@dataclass(frozen=True)
class MortalStaging:
    """The staging tables of a service that may die."""

    staging: Staging
    points: Points

    def begin(self, job: LoadJob) -> bool:
        """Start a load job."""
        with self.points.around("job"):
            return self.staging.begin(job)

    def end(self, job: LoadJob, *, seconds: float) -> LoadEnd:
        """Wait for a job."""
        with self.points.around("end"):
            return self.staging.end(job, seconds=seconds)

    def history_days(self, feed: Feed) -> int | None:
        """Return after how many days history expires."""
        return self.staging.history_days(feed)

    def lines_kept(self, feed: Feed, minute: datetime) -> LinesKept:
        """Return the warehouse's lines of a minute."""
        return self.staging.lines_kept(feed, minute)


@dataclass(frozen=True)
class MortalImports:
    """SecOps for a service that may die; the point after is between the response and its record."""

    imports: Imports
    points: Points

    def import_logs(self, log_type: str, body: bytes) -> None:
        """Post one request."""
        with self.points.around("post"):
            self.imports.import_logs(log_type, body)


def mortal_sql(run: RunSql, points: Points) -> RunSql:
    """Return a function that runs SQL, with points around the scripts of merges and folds and one inside each."""

    def run_or_die(sql: str, *, seconds: float) -> Sequence[Mapping[str, Any]]:
        if "BEGIN TRANSACTION" not in sql:
            return run(sql, seconds=seconds)
        step = "merge" if "_staging" in sql else "fold"
        points.reach_within(f"{step}.during", _INTO_THE_MERGE)
        with points.around(step):
            return run(sql, seconds=seconds)

    return run_or_die


def mortal_edges(settings: MeshSettings, points: Points) -> tuple[Bucket, Publisher]:
    """Return the real bucket and publisher of a service, with points."""
    bucket = landing_bucket(settings)
    return MortalBucket(bucket, points), MortalPublisher(PubSubPublisher(settings.project, settings.prefix), points)
