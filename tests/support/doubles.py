"""Fakes for several test tiers: a source of packages, a clock, and small builders."""

import bz2
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.virustotal.errors import PackageMissing

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that tests set."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now

    def __call__(self) -> datetime:
        """Return the time that was set."""
        return self.time

    def pause(self, seconds: float) -> None:
        """Advance the clock without waiting."""
        self.advance(seconds=seconds)

    def advance(self, **by: float) -> None:
        """Advance the clock by a timedelta's arguments."""
        self.time += timedelta(**by)


class Body:
    """A package as a stream of chunks."""

    def __init__(self, data: bytes, chunk: int) -> None:
        self._data = data
        self._chunk = chunk

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes."""
        yield from (self._data[at : at + self._chunk] for at in range(0, len(self._data), self._chunk))

    def stop(self) -> None:
        """Do nothing: there is no reader to wake."""


class Lists:
    """A source of hours of threat lists: lines, or an exception that is raised behind them."""

    def __init__(self) -> None:
        self.hours: dict[datetime, tuple[bytes, Exception | None]] = {}
        self.opened = 0

    def lines(self, hour: datetime) -> Iterator[bytes]:
        """Yield the hour's lines as the real reader does."""
        self.opened += 1
        text, error = self.hours[hour]
        yield from text.splitlines(keepends=True)
        if error:
            raise error


class Source:
    """A source of packages: bytes are served in chunks, an exception is raised, anything else is missing."""

    def __init__(self, chunk: int = 1000) -> None:
        self.packages: dict[datetime, bytes | Exception] = {}
        self.opened = 0
        self._chunk = chunk

    @contextmanager
    def package(self, feed_path: str, minute: datetime) -> Iterator[Body]:
        """Open a package as the real client does."""
        self.opened += 1
        package = self.packages.get(minute, PackageMissing(f"package {feed_path}: 404"))
        if isinstance(package, Exception):
            raise package
        yield Body(package, self._chunk)


def feed_lines(count: int, **fields: Any) -> list[bytes]:
    """Return lines as a feed has them."""
    return [
        json.dumps({"id": f"host-{number}.example", "type": "domain", "attributes": {}, **fields}).encode()
        for number in range(1, count + 1)
    ]


def package_of(lines: list[bytes], end: bytes = b"\n") -> bytes:
    """Return a package of these lines."""
    return bz2.compress(b"".join(line + end for line in lines))
