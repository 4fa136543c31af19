"""Make packages for benchmarks: the simulator's lines, compressed as the source compresses them."""

import bz2
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infra.local.virustotal.packages import Package

MEGABYTE = 1_000_000
_LINES_A_MINUTE = 200
# bzip2 looks no further back than a block of 900 kB, so beyond some megabytes repeating lines changes nothing.
_FRESH_BYTES = 40 * MEGABYTE
_FIRST = datetime(2026, 11, 21, tzinfo=UTC)


def package_of(megabytes: int, folder: Path) -> Path:
    """Return a package with this many MB of JSON; it is made if the folder has none."""
    path = folder / f"{megabytes}-megabytes.bz2"
    if not path.exists():
        made = path.with_suffix(".part")
        folder.mkdir(parents=True, exist_ok=True)
        with bz2.open(made, "wb") as package:
            left = megabytes * MEGABYTE
            fresh = _fresh_lines(min(left, _FRESH_BYTES))
            while left > 0:
                part = fresh[: fresh.find(b"\n", left - 1) + 1 or None]
                package.write(part)
                left -= len(part)
        made.rename(path)
    return path


def _fresh_lines(size: int) -> bytes:
    lines: list[bytes] = []
    made = 0
    minute = _FIRST
    while made < size:
        for line in Package("bench", "domains", minute, _LINES_A_MINUTE).lines_as_bytes():
            lines.append(line + b"\n")
            made += len(line) + 1
        minute += timedelta(minutes=1)
    return b"".join(lines)
