"""The feeds and their packages, in the API's names."""

import re
from datetime import UTC, datetime

FEEDS = ("domains", "files", "urls", "ip_addresses", "file_behaviours")

# The reference uses file_behaviours; VirusTotal's client and the links in real lines use file-behaviours.
_SPELLINGS = {**{feed: feed for feed in FEEDS}, "file-behaviours": "file_behaviours"}

_PACKAGE_NAME = re.compile(r"\d{12}", re.ASCII)


def find_feed(spelling: str) -> str | None:
    """Return a feed's name from any accepted spelling, or None."""
    return _SPELLINGS.get(spelling)


def parse_package_name(name: str) -> datetime | None:
    """Read `YYYYMMDDhhmm` as a UTC minute; return None for anything else."""
    if not _PACKAGE_NAME.fullmatch(name):
        return None
    try:
        return datetime.strptime(name, "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None


def package_name(minute: datetime) -> str:
    """Write a minute in the API's format."""
    return minute.strftime("%Y%m%d%H%M")
