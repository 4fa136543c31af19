"""Connect the forwarder to Google Cloud, VirusTotal and SecOps."""

from dataclasses import dataclass
from functools import cached_property

from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.storage import StorageBucket, storage_client
from shared.ports import Bucket, Publisher
from shared.secops.build import build_importer, build_poller
from shared.secops.deliver import Importer
from shared.secops.poll import Poller
from shared.secops.settings import SecOpsSettings


@dataclass(frozen=True)
class Parts:
    """What the entry points need; each target uses its own."""

    settings: SecOpsSettings
    bucket: Bucket
    publisher: Publisher

    @cached_property
    def poller(self) -> Poller:
        """What the schedule calls."""
        return build_poller(self.settings, self.bucket, self.publisher)

    @cached_property
    def importer(self) -> Importer:
        """What the pages are pushed to."""
        return build_importer(self.settings, self.bucket, self.publisher)


def build(settings: SecOpsSettings) -> Parts:
    """Connect to Google Cloud."""
    bucket = StorageBucket(settings.bucket, storage_client(settings.project, settings.storage_emulator))
    return Parts(settings, bucket, PubSubPublisher(settings.project))
