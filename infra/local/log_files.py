"""The log files of a local mesh: their last lines, and what is written to them from now on."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from infra.local.state import StateFolder
from shared.contracts.outcomes import MeshError

_LOOK_SECONDS = 0.3


class NoSuchLog(MeshError):
    """No log file has this name."""


def find_log(state: Path, part: str) -> Path | None:
    """Return the log file of a part of a mesh; None without logs; raise NoSuchLog for a name that is not among them."""
    logs = {file.stem: file for file in sorted(StateFolder(state).logs.glob("*.log"))}
    if not logs:
        return None
    if part not in logs:
        raise NoSuchLog(f"no log of {part!r}; there are logs of {', '.join(logs)}")
    return logs[part]


def last_lines(file: Path, count: int) -> list[str]:
    """Return the last lines of a log, without their ends."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, maxlen=count)]


def follow(file: Path, count: int, pause: Callable[[float], object] = time.sleep) -> Iterator[str]:
    """Yield the last lines of a log, and every later one; a restarted mesh begins a new file."""
    log = file.open(encoding="utf-8", errors="replace")
    try:
        yield from deque(_written(log), maxlen=count)
        while True:
            yield from _written(log)
            if _is_another(file, log):
                log.close()
                log = file.open(encoding="utf-8", errors="replace")
            else:
                pause(_LOOK_SECONDS)
    finally:
        log.close()


def _written(log: IO[str]) -> Iterator[str]:
    """Yield the whole lines that have been written; the beginning of one is left until its end is there."""
    while True:
        before = log.tell()
        line = log.readline()
        if not line.endswith("\n"):
            log.seek(before)
            return
        yield line.rstrip("\n")


def _is_another(file: Path, log: IO[str]) -> bool:
    try:
        return not os.path.samestat(file.stat(), os.fstat(log.fileno()))
    except FileNotFoundError:
        return False
