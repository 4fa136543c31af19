"""Check before any minute is requested whether a key may read the feeds."""

from collections.abc import Iterable
from datetime import datetime

from shared.feeds.definition import Feed
from shared.virustotal.client import VirusTotal
from shared.virustotal.errors import NotAvailableYet, NotLicensed, PackageMissing


def feeds_without_licence(source: VirusTotal, feeds: Iterable[Feed], minute: datetime) -> list[str]:
    """Return the feeds that the key's owner may not read: one package per feed is opened and not read.

    Costs one request per feed. Raises KeyRefused if the source rejects the key, Retryable if it cannot be reached.
    """
    return [feed.name for feed in feeds if not _licensed(source, feed, minute)]


def _licensed(source: VirusTotal, feed: Feed, minute: datetime) -> bool:
    try:
        if feed.source == "threat_lists":
            # Every tier has this one.
            source.answer(f"/threat_lists/ransomware/{minute:%Y%m%d%H}?limit=1", "threat list ransomware")
            return True
        with source.package(feed.path, minute):
            return True
    except (NotAvailableYet, PackageMissing):
        # These are about the minute, not the feed.
        return True
    except NotLicensed:
        return False
