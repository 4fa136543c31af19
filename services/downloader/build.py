"""Build the downloader from its settings, with real clients."""

import logging
import shutil
from dataclasses import dataclass

from services.downloader.bzip2.unpacker import Unpacker
from services.downloader.download import ABSENT_AFTER, Downloader
from services.downloader.memory import container_limit, spool_bytes
from services.downloader.settings import DownloaderSettings
from services.downloader.spool import Spools
from services.downloader.threat_lists import ThreatLists
from shared.contracts.interfaces import Bucket, Publisher
from shared.contracts.minutes import utc_now
from shared.feeds.definition import THREAT_LISTS
from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.storage import landing_bucket
from shared.virustotal.client import VirusTotal
from shared.virustotal.keys import find_key
from shared.virustotal.threat_lists import ThreatListReader

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Components:
    """The components that the entry point needs."""

    downloader: Downloader
    publisher: Publisher


def build(
    settings: DownloaderSettings, *, bucket: Bucket | None = None, publisher: Publisher | None = None
) -> Components:
    """Connect to Google Cloud and VirusTotal; arguments replace the real clients."""
    publisher = publisher or PubSubPublisher(settings.project, settings.prefix)
    source = VirusTotal(api_url=settings.api_url, key=find_key(settings, settings.project))
    downloader = Downloader(
        source=source,
        lists=ThreatLists(
            ThreatListReader(source),
            lists=settings.threat_lists,
            wait_for_missing=settings.period(THREAT_LISTS).availability + ABSENT_AFTER,
            deadline=settings.deadline,
            now=utc_now,
        ),
        bucket=bucket or landing_bucket(settings),
        publisher=publisher,
        spools=_spools(settings.memory_limit),
        unpack=_unpacker(),
        feeds=settings.feed_definitions(),
        now=utc_now,
        deadline=settings.deadline,
    )
    return Components(downloader, publisher)


def _spools(declared: int) -> Spools:
    limit = container_limit(declared)
    shared = spool_bytes(limit)
    log.info("downloader.memory: %d MiB, of which packages in progress may hold %d", limit >> 20, shared >> 20)
    return Spools(shared)


def _unpacker() -> Unpacker:
    lbzip2 = shutil.which("lbzip2")
    log.info("downloader.decoder: %s", lbzip2 or "libbz2, because lbzip2 is not installed")
    return Unpacker(lbzip2=lbzip2)
