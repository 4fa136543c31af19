"""The feeds and their packages, as the API names them."""

import re
from datetime import UTC, datetime

FEEDS = ("domains", "files", "urls", "ip_addresses", "file_behaviours")

# The reference writes file_behaviours, VirusTotal's own client and the links inside real lines file-behaviours.
_SPELLINGS = {**{feed: feed for feed in FEEDS}, "file-behaviours": "file_behaviours"}

_PACKAGE_NAME = re.compile(r"\d{12}", re.ASCII)


def find_feed(spelling: str) -> str | None:
    """Return the feed behind any accepted spelling, or None."""
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
    """Write a minute as the API does."""
    return minute.strftime("%Y%m%d%H%M")
