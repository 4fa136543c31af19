"""Connect the forwarder to Google Cloud, VirusTotal and SecOps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.storage import StorageBucket, storage_client
from shared.ports import Bucket, Publisher
from shared.secops.build import build_importer, build_poller
from shared.secops.deliver import Importer, Imports
from shared.secops.poll import Poller
from shared.secops.settings import SecOpsSettings


@dataclass(frozen=True)
class Parts:
    """What the entry points need; each target uses its own."""

    settings: SecOpsSettings
    bucket: Bucket
    publisher: Publisher
    secops: Imports | None
    now: Callable[[], datetime]

    @cached_property
    def poller(self) -> Poller:
        """What the schedule calls."""
        return build_poller(self.settings, self.bucket, self.publisher, now=self.now)

    @cached_property
    def importer(self) -> Importer:
        """What the pages are pushed to."""
        return build_importer(self.settings, self.bucket, self.publisher, secops=self.secops, now=self.now)


def _now() -> datetime:
    return datetime.now(UTC)


def build(
    settings: SecOpsSettings,
    *,
    bucket: Bucket | None = None,
    publisher: Publisher | None = None,
    secops: Imports | None = None,
    now: Callable[[], datetime] = _now,
) -> Parts:
    """Connect to Google Cloud; an edge that is given takes the place of the real one."""
    bucket = bucket or StorageBucket(settings.bucket, storage_client(settings.project, settings.storage_emulator))
    return Parts(settings, bucket, publisher or PubSubPublisher(settings.project), secops, now)
