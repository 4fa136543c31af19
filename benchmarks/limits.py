"""How much of each limit is used: by five feeds today, at ten times the volume, and with a backfill of seven days."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.volumes import (
    COMPRESSION,
    LINE_BYTES,
    LINES_A_DAY,
    MERGES_A_DAY,
    MINUTES_A_DAY,
    minute_feeds,
    package_megabytes,
)
from infra.topology import Service, Topology
from services.downloader.lines import MAX_LINE_BYTES
from services.downloader.memory import spool_bytes
from services.downloader.spool import OWN_BYTES
from services.loader.settings import LoaderSettings
from services.merger.settings import MergerSettings
from shared.contracts.minutes import HORIZON

# docs/performance.md: resident before a package, and above that for each of two packages of 500 MB at once.
_IDLE_MEBIBYTES, _MEBIBYTES_A_PACKAGE = 80, 64 / 2
# docs/performance.md: an instance of 2 processors, two packages of 500 MB at once.
DOWNLOAD_MEGABYTES_A_SECOND = 42.0
_QUOTAS = "https://cloud.google.com/bigquery/quotas"


@dataclass(frozen=True)
class Limit:
    """A limit and its use today, at ten times the volume, and on the day of a backfill at that volume."""

    name: str
    most: float
    unit: str
    today: float
    ten: float
    backfill: float

    @property
    def share(self) -> float:
        """The highest use as a fraction of the limit."""
        return max(self.today, self.ten, self.backfill) / self.most


def limits(topology: Topology) -> list[Limit]:
    """Return every limit, the one with the highest use first."""
    found = [*_bigquery(), *_cloud_run(topology), *_pubsub(topology)]
    return sorted(found, key=lambda limit: -limit.share)


def _bigquery() -> Iterator[Limit]:
    feeds, week = len(minute_feeds()), HORIZON.days * MINUTES_A_DAY
    one = MINUTES_A_DAY, MINUTES_A_DAY, MINUTES_A_DAY + week
    yield Limit(f"[load jobs a day into one staging table]({_QUOTAS}), partitioned", 30_000, "", *one)
    yield Limit(f"[load jobs a day in a project]({_QUOTAS})", 100_000, "", *(feeds * jobs for jobs in one))
    inserts = feeds * MERGES_A_DAY
    made_up = feeds * HORIZON.days * 10 * LINES_A_DAY / MergerSettings.model_fields["max_lines"].default
    yield Limit(
        f"[INSERTs a day into one table before they queue]({_QUOTAS}), the ledger",
        1_500, "", inserts, inserts, inserts + made_up,
    )  # fmt: skip
    yield Limit(
        f"[partitions that one job may change]({_QUOTAS}), staging by the hour", 4_000, "", 2, 2, HORIZON.days * 24
    )
    largest = max(LINE_BYTES.values())
    packed = [package_megabytes(volume, largest) / COMPRESSION / 1000 for volume in (1, 10, 10)]
    yield Limit(f"[gzip file of a load job]({_QUOTAS})", 4, "GB", *packed)


def _cloud_run(topology: Topology) -> Iterator[Limit]:
    declared = topology.services["downloader"]
    largest = max(LINE_BYTES.values())
    memory = [_memory(declared, package_megabytes(volume, largest)) for volume in (1, 10, 10)]
    limit = declared.mebibytes
    yield Limit("memory of a downloader, an instance full of sandbox reports", limit, "MiB", *memory)
    line = declared.concurrency * MAX_LINE_BYTES / 2**20
    whole_lines = "memory of a downloader, with a line of 64 MiB in each package as well"
    yield Limit(whole_lines, limit, "MiB", *(used + line for used in memory))
    seconds = [
        declared.concurrency * package_megabytes(volume, largest) / DOWNLOAD_MEGABYTES_A_SECOND
        for volume in (1, 10, 10)
    ]
    yield Limit("DOWNLOAD_DEADLINE_SECONDS, an instance full of sandbox reports", 480, "s", *seconds)
    longest = MergerSettings.model_fields["deadline_seconds"].default
    yield Limit(
        "timeout of the merger, a run as long as MERGE_DEADLINE_SECONDS allows",
        topology.services["merger"].timeout_seconds, "s", *[longest] * 3,
    )  # fmt: skip
    loader = topology.services["loader"]
    paced = loader.instances.max * 10 * LoaderSettings.model_fields["jobs_per_second"].default
    usual = 10 / 60 + 1
    yield Limit(
        f"[changes of one partitioned table in 10 s]({_QUOTAS}), by loads and one merge",
        50, "", usual, usual, paced + 1,
    )  # fmt: skip


def _memory(declared: Service, megabytes: float) -> float:
    packages = declared.concurrency
    whole = packages * megabytes / COMPRESSION * 1e6
    # A source that is faster than bzip2 is taken off the wire up to what the spools may hold.
    spooled = min(whole, spool_bytes(declared.mebibytes * 2**20) + packages * OWN_BYTES)
    return _IDLE_MEBIBYTES + packages * _MEBIBYTES_A_PACKAGE + spooled / 2**20


def _pubsub(topology: Topology) -> Iterator[Limit]:
    declared, service = topology.subscriptions["downloader"], topology.services["downloader"]
    places = service.instances.max * service.concurrency
    window = "[pushes out at once, the least that a full window is](https://cloud.google.com/pubsub/docs/push)"
    yield Limit(window, 3_000, "", *[places] * 3)
    capacity = service.instances.max * DOWNLOAD_MEGABYTES_A_SECOND * 3600
    work = HORIZON.days * MINUTES_A_DAY * len(minute_feeds()) * package_megabytes(10)
    spare = capacity - len(minute_feeds()) * 60 * package_megabytes(10)
    backlog = "retention of a backlog, 7 days made up by the downloader"
    yield Limit(backlog, declared.retention_seconds / 3600, "h", 0, 0, work / spare)


def limits_table(found: Sequence[Limit]) -> Iterator[str]:
    """Yield the section's lines."""
    yield "| limit | at most | today | 10 x | 10 x, 7 days made up in one | used |"
    yield "|---|---:|---:|---:|---:|---:|"
    for one in found:
        used = " | ".join(_written(value, one.unit) for value in (one.most, one.today, one.ten, one.backfill))
        yield f"| {one.name} | {used} | {one.share:.0%} |"


def _written(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2f}"
    return f"{number} {unit}".strip()
