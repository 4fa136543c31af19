"""Request statistics: how often each minute was requested, and the last request headers."""

from collections import Counter
from collections.abc import Mapping
from threading import Lock

from pydantic import BaseModel, ConfigDict

_KEY_HEADER = "x-apikey"


class Seen(BaseModel):
    """How often a minute's requests got one status."""

    model_config = ConfigDict(frozen=True)

    feed: str
    minute: str
    status: int
    count: int


class StatsReport(BaseModel):
    """The statistics since the start or the last reset; header names are in lower case, keys are masked."""

    model_config = ConfigDict(frozen=True)

    requests: tuple[Seen, ...]
    downloads: tuple[Seen, ...]
    keys_at_download_port: int
    last_headers: dict[str, dict[str, str]]

    @property
    def download_count(self) -> int:
        """The number of responses of the download port."""
        return sum(seen.count for seen in self.downloads)

    def requested(self, feed: str, minute: str) -> dict[int, int]:
        """Return the number of API responses for a minute, by status."""
        return _by_status(self.requests, feed, minute)

    def downloaded(self, feed: str, minute: str) -> dict[int, int]:
        """Return the number of downloads of a minute, by status."""
        return _by_status(self.downloads, feed, minute)


class Stats:
    """Counts requests and downloads, and remembers the last headers of both ports."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Delete everything."""
        with self._lock:
            self._seen: dict[str, Counter[tuple[str, str, int]]] = {"api": Counter(), "download": Counter()}
            self._headers: dict[str, dict[str, str]] = {}
            self._keys_at_download_port = 0

    def count(self, port: str, feed: str, minute: str, status: int) -> None:
        """Count one response about a minute; port is api or download."""
        with self._lock:
            self._seen[port][feed, minute, status] += 1

    def remember(self, port: str, headers: Mapping[str, str]) -> None:
        """Keep the headers of a request, and count a key sent to the download port."""
        shown = {name: "(sent)" if name == _KEY_HEADER else value for name, value in headers.items()}
        with self._lock:
            self._headers[port] = shown
            self._keys_at_download_port += port == "download" and _KEY_HEADER in headers

    def report(self) -> StatsReport:
        """Return the statistics."""
        with self._lock:
            return StatsReport(
                requests=_rows(self._seen["api"]),
                downloads=_rows(self._seen["download"]),
                keys_at_download_port=self._keys_at_download_port,
                last_headers=dict(self._headers),
            )


def _rows(seen: Counter[tuple[str, str, int]]) -> tuple[Seen, ...]:
    return tuple(
        Seen(feed=feed, minute=minute, status=status, count=count)
        for (feed, minute, status), count in sorted(seen.items())
    )


def _by_status(rows: tuple[Seen, ...], feed: str, minute: str) -> dict[int, int]:
    return {seen.status: seen.count for seen in rows if (seen.feed, seen.minute) == (feed, minute)}
