"""The ports with fault points around every step that changes something."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.loader.load import Ledger
from services.merger.merge import RunSql
from shared.feeds.definition import Feed
from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.storage import StorageBucket, storage_client
from shared.ports import Bucket, LedgerRow, Listed, MinuteState, Outgoing, Publisher, Stored, Writer
from shared.secops.deliver import Imports
from shared.settings import MeshSettings
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

    def read(self, name: str) -> Stored | None:
        """Return an object."""
        return self.bucket.read(name)

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
        """Return the names that begin so."""
        return self.bucket.names(prefix)

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return the objects that begin so, from a name on."""
        return self.bucket.listed(prefix, start)


@dataclass(frozen=True)
class MortalPublisher:
    """A publisher of a service that may die."""

    publisher: Publisher
    points: Points

    def publish(self, topic: str, messages: Iterable[Outgoing]) -> int:
        """Publish all messages."""
        with self.points.around("publish"):
            return self.publisher.publish(topic, messages)


@dataclass(frozen=True)
class MortalLedger:
    """A ledger of a service that may die."""

    ledger: Ledger
    points: Points

    def states(self, feed: str, first: datetime, last: datetime) -> Sequence[MinuteState]:
        """Return what is known."""
        return self.ledger.states(feed, first, last)

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Append rows; the step is named after what they tell."""
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

    def lines_kept(self, feed: Feed, minute: datetime) -> LinesKept:
        """Return what the warehouse holds of a minute."""
        return self.staging.lines_kept(feed, minute)


@dataclass(frozen=True)
class MortalImports:
    """SecOps, for a service that may die; the point after is between its answer and our record."""

    imports: Imports
    points: Points

    def import_logs(self, log_type: str, body: bytes) -> None:
        """Post one request."""
        with self.points.around("post"):
            self.imports.import_logs(log_type, body)


def mortal_sql(run: RunSql, points: Points) -> Callable[[str], Sequence[Mapping[str, Any]]]:
    """Return what runs SQL, with points around the merge's script and one inside it."""

    def run_or_die(sql: str) -> Sequence[Mapping[str, Any]]:
        if "BEGIN TRANSACTION" not in sql:
            return run(sql)
        points.reach_within("merge.during", _INTO_THE_MERGE)
        with points.around("merge"):
            return run(sql)

    return run_or_die


def mortal_edges(settings: MeshSettings, points: Points) -> tuple[Bucket, Publisher]:
    """Return the real bucket and publisher of a service, with points."""
    bucket = StorageBucket(settings.bucket, storage_client(settings.project, settings.storage_emulator))
    return MortalBucket(bucket, points), MortalPublisher(PubSubPublisher(settings.project), points)
