"""The volume of each feed: assumed where no figure is public, and measured otherwise."""

from shared.feeds.definition import Feed, known_feeds
from shared.virustotal.threat_lists import LIMIT, LISTS

# No figure of today's feeds is public; this is taken for each of them.
LINES_A_DAY = 7_000_000
OBJECT_BYTES = 20_000
# Reports of files that are no first report of their file: 328 M reports of 235 M samples in a year (arXiv 2210.15973),
# the only public figure for any feed.
SEEN_BEFORE = 1 - 235 / 328
MINUTES_A_DAY = 24 * 60
# Cloud Scheduler starts the merger twice an hour.
MERGES_A_DAY = 48
# Real lines shrink 8.3 to 10.5 times (25 lines of five feeds, bzip2); the least is the dearest.
COMPRESSION = 8.3
# Bytes of a line: averages of 25 real lines.
LINE_BYTES = {
    "domains": 20_154,
    "file_behaviours": 34_337,
    "files": 21_018,
    "ip_addresses": 23_553,
    "urls": 14_584,
}
# An element of a threat list is about 1 KB, and the line has the list's name as well.
LIST_LINE_BYTES = 1_000
LISTS_A_DAY = {
    "every list is full": 24 * len(LISTS) * LIMIT,
    # The only sizes that are known, six hours of one list: 286, 135, 87, 61, 88 and 75.
    "every list is like cryptominer": 24 * len(LISTS) * 122,
}


def package_megabytes(volume: float = 1.0, line_bytes: float = OBJECT_BYTES) -> float:
    """Return the decompressed size of a minute of a feed with 7 million lines a day, times a factor."""
    return volume * LINES_A_DAY * line_bytes / MINUTES_A_DAY / 1e6


def minute_feeds() -> dict[str, Feed]:
    """Return the feeds whose packages are minutes, by name. An hour of threat lists is small compared with them."""
    return {name: feed for name, feed in known_feeds().items() if feed.period == "minute"}
