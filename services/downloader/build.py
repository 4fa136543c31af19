"""Build the downloader from its settings and the real edges."""

import logging
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime

from services.downloader.download import Downloader
from services.downloader.settings import DownloaderSettings
from services.downloader.unpack import Unpacker
from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.storage import StorageBucket, storage_client
from shared.ports import Bucket, Publisher
from shared.virustotal.client import VirusTotal
from shared.virustotal.keys import find_key

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What the entry point needs."""

    downloader: Downloader
    publisher: Publisher


def build(settings: DownloaderSettings, *, bucket: Bucket | None = None, publisher: Publisher | None = None) -> Parts:
    """Connect to Google Cloud and VirusTotal; an edge that is given takes the place of the real one."""
    publisher = publisher or PubSubPublisher(settings.project)
    downloader = Downloader(
        source=VirusTotal(api_url=settings.api_url, key=find_key(settings, settings.project)),
        bucket=bucket or StorageBucket(settings.bucket, storage_client(settings.project, settings.storage_emulator)),
        publisher=publisher,
        unpack=_unpacker(),
        feeds=settings.feed_definitions(),
        now=lambda: datetime.now(UTC),
        deadline=settings.deadline,
    )
    return Parts(downloader, publisher)


def _unpacker() -> Unpacker:
    lbzip2 = shutil.which("lbzip2")
    log.info("downloader.decoder: %s", lbzip2 or "libbz2, because lbzip2 is not installed")
    return Unpacker(lbzip2=lbzip2)
