"""What each limit leaves: five feeds today, at ten times the volume, and while seven days are made up in one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.topology import Topology
from services.merger.settings import MergerSettings
from shared.feeds.definition import known_feeds
from shared.minutes import HORIZON
from tests.bench.volumes import COMPRESSION, LINE_BYTES, MINUTES_A_DAY, package_megabytes

_MERGES_A_DAY = 48
# docs/performance.md: resident before a package, and above that for each of two packages of 500 MB at once.
_IDLE_MEBIBYTES, _MEBIBYTES_A_PACKAGE = 80, 64 / 2
# docs/performance.md: an instance of 2 processors, two packages of 500 MB at once.
DOWNLOAD_MEGABYTES_A_SECOND = 42.0
_QUOTAS = "https://cloud.google.com/bigquery/quotas"


@dataclass(frozen=True)
class Limit:
    """A limit, and what of it is used today, at ten times the volume, and on the day of a backfill at that volume."""

    name: str
    most: float
    unit: str
    today: float
    ten: float
    backfill: float

    @property
    def share(self) -> float:
        """The most that is used, as a part of the limit."""
        return max(self.today, self.ten, self.backfill) / self.most


def limits(topology: Topology) -> list[Limit]:
    """Return every limit, the one that is nearest first."""
    found = [*_bigquery(), *_cloud_run(topology), *_pubsub(topology)]
    return sorted(found, key=lambda limit: -limit.share)


def _bigquery() -> Iterator[Limit]:
    feeds, week = len(known_feeds()), HORIZON.days * MINUTES_A_DAY
    one = MINUTES_A_DAY, MINUTES_A_DAY, MINUTES_A_DAY + week
    yield Limit(f"[load jobs a day into one staging table]({_QUOTAS}), partitioned", 30_000, "", *one)
    yield Limit(f"[load jobs a day in a project]({_QUOTAS})", 100_000, "", *(feeds * jobs for jobs in one))
    inserts = feeds * _MERGES_A_DAY
    yield Limit(f"[INSERTs a day into one table before they queue]({_QUOTAS}), the ledger", 1_500, "", *[inserts] * 3)
    yield Limit(
        f"[partitions that one job may change]({_QUOTAS}), staging by the hour", 4_000, "", 2, 2, HORIZON.days * 24
    )
    largest = max(LINE_BYTES.values())
    packed = [package_megabytes(volume, largest) / COMPRESSION / 1000 for volume in (1, 10, 10)]
    yield Limit(f"[gzip file of a load job]({_QUOTAS})", 4, "GB", *packed)


def _cloud_run(topology: Topology) -> Iterator[Limit]:
    declared = topology.services["downloader"]
    largest = max(LINE_BYTES.values())
    memory = [_memory(declared.concurrency, package_megabytes(volume, largest)) for volume in (1, 10, 10)]
    yield Limit(
        "memory of a downloader, packages spooled whole, sandbox reports", _mebibytes(declared.memory), "MiB", *memory
    )
    seconds = [
        declared.concurrency * package_megabytes(volume, largest) / DOWNLOAD_MEGABYTES_A_SECOND
        for volume in (1, 10, 10)
    ]
    yield Limit("DOWNLOAD_DEADLINE_SECONDS, an instance full of sandbox reports", 480, "s", *seconds)
    per_feed = MergerSettings.model_fields["deadline_seconds"].default
    longest = len(known_feeds()) * per_feed
    yield Limit(
        "timeout of the merger, every feed's merge as long as MERGE_DEADLINE_SECONDS allows",
        topology.services["merger"].timeout_seconds, "s", *[longest] * 3,
    )  # fmt: skip


def _memory(packages: int, megabytes: float) -> float:
    spooled = megabytes / COMPRESSION * 1e6 / 2**20
    return _IDLE_MEBIBYTES + packages * (_MEBIBYTES_A_PACKAGE + spooled)


def _mebibytes(memory: str) -> float:
    return float(memory[:-2]) * {"Mi": 1, "Gi": 1024}[memory[-2:]]


def _pubsub(topology: Topology) -> Iterator[Limit]:
    declared, service = topology.subscriptions["downloader"], topology.services["downloader"]
    places = service.instances.max * service.concurrency
    window = "[pushes out at once, the least that a full window is](https://cloud.google.com/pubsub/docs/push)"
    yield Limit(window, 3_000, "", *[places] * 3)
    capacity = service.instances.max * DOWNLOAD_MEGABYTES_A_SECOND * 3600
    work = HORIZON.days * MINUTES_A_DAY * len(known_feeds()) * package_megabytes(10)
    spare = capacity - len(known_feeds()) * 60 * package_megabytes(10)
    yield Limit(
        "retention of a backlog, 7 days made up by the downloader",
        declared.retention_seconds / 3600,
        "h",
        0,
        0,
        work / spare,
    )


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
