"""How many requests a day VirusTotal gets of each feed and stream, by settings and schedules."""

from collections.abc import Iterator
from itertools import groupby
from math import ceil

from benchmarks.volumes import MINUTES_A_DAY, minute_feeds
from services.secops_forwarder.poll.listings import OVERLAP
from services.secops_forwarder.settings import POLL_MINUTES
from shared.contracts.minutes import ONE_MINUTE
from shared.feeds.definition import THREAT_LISTS, known_feeds
from shared.streams.definition import Stream, known_streams
from shared.virustotal.threat_lists import LISTS

ITEMS_A_DAY = (0, 1_000, 100_000)
_POLLS = MINUTES_A_DAY // POLL_MINUTES
_ORDINARY = "the key's, for the day and the month"
_DTM = "[50,000 a day, 100 refused an hour](https://gtidocs.virustotal.com/reference/dtm)"
_UNKNOWN = "not documented whether they count"


def requests_of_feed(feed: str, *, full: bool = False) -> int:
    """Return a feed's requests a day; of full threat lists those by type too."""
    packages = MINUTES_A_DAY * ONE_MINUTE // known_feeds()[feed].every().length
    if feed != THREAT_LISTS:
        return packages
    by_type = sum(map(len, LISTS.values())) if full else 0
    return packages * (1 + len(LISTS) + by_type)


def requests_of_stream(stream: Stream, items: int) -> int:
    """Return a stream's requests a day: of every poll, which reads an overlap again, and of a second look or a sweep.

    Of a list that is read by windows the items are those of one project, all of which are seen again every day.
    """
    again = (POLL_MINUTES + OVERLAP / ONE_MINUTE) / POLL_MINUTES
    if stream.listing == "windows":
        # Less than two searches a page, for polls and for the sweep; each poll also asks for the list of projects.
        return 2 * _POLLS + ceil(2 * items * (again + 1) / stream.page_size)
    polls = _POLLS * max(1, ceil(items * again / _POLLS / stream.page_size))
    looks = max(1, ceil(items / stream.page_size)) if stream.listing == "ascending" else 0
    return polls + looks


def quota_table() -> Iterator[str]:
    """Yield the section's lines."""
    yield f"| | {' | '.join(f'{items:,} items a day' for items in ITEMS_A_DAY)} | limit |"
    yield f"|---|{'---:|' * len(ITEMS_A_DAY)}---|"
    minutes = list(minute_feeds())
    yield _row(f"each of {', '.join(minutes)}", [requests_of_feed(minutes[0])] * len(ITEMS_A_DAY), _UNKNOWN)
    yield _row(THREAT_LISTS, [requests_of_feed(THREAT_LISTS)] * len(ITEMS_A_DAY), _UNKNOWN)
    full = requests_of_feed(THREAT_LISTS, full=True)
    yield _row(f"{THREAT_LISTS}, if every list is full", [full] * len(ITEMS_A_DAY), _UNKNOWN)
    streams = sorted(known_streams().values(), key=_alike)
    for _, group in groupby(streams, _alike):
        alike = list(group)
        names = ("each of " if len(alike) > 1 else "") + ", ".join(stream.name for stream in alike)
        limit = _DTM if alike[0].path.startswith("/dtm/") else _ORDINARY
        yield _row(names, [requests_of_stream(alike[0], items) for items in ITEMS_A_DAY], limit)


def _alike(stream: Stream) -> tuple[str, int]:
    return stream.path, stream.page_size


def _row(name: str, requests: list[int], limit: str) -> str:
    return f"| {name} | {' | '.join(f'{count:,}' for count in requests)} | {limit} |"
