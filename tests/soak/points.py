"""Fault points: places at which a service dies when the soak has asked for it, in wrappers around its ports.

No service knows of them: tests/soak/services builds the real services with these wrappers passed in. A point is armed
by a file, and who deletes the file dies of it, once.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer

VARIABLE = "GTI_MESH_FAULT_POINTS"


@dataclass(frozen=True)
class Points:
    """The fault points of one service, armed in a folder."""

    folder: Path
    service: str

    def file(self, place: str) -> Path:
        """Return the file that arms a place."""
        return self.folder / f"{self.service}.{place}"

    def arm(self, place: str) -> None:
        """Have the service die at this place, the next time that it comes there."""
        self.file(place).touch()

    def disarm(self) -> list[str]:
        """Take every arming back; return the places that were not reached."""
        armed = list(self.folder.glob(f"{self.service}.*.*"))
        for file in armed:
            file.unlink(missing_ok=True)
        return [file.name.removeprefix(f"{self.service}.") for file in armed]

    def reach(self, place: str) -> None:
        """Die here, and everything that the service has started, if somebody has asked for it."""
        if self._take(place):
            die()

    def reach_within(self, place: str, seconds: float) -> None:
        """Die a moment later, in the middle of what comes next."""
        if self._take(place):
            Timer(seconds, die).start()

    @contextmanager
    def around(self, step: str) -> Iterator[None]:
        """Have a point before a step and one after it."""
        self.reach(f"{step}.before")
        yield
        self.reach(f"{step}.after")

    def _take(self, place: str) -> bool:
        with suppress(FileNotFoundError):
            self.file(place).unlink()
            return True
        return False


def die() -> None:
    """End the process group as `kill -9` does: nothing is finished, nothing is told to anybody."""
    os.killpg(0, signal.SIGKILL)


def here() -> Points:
    """Return the points of the service that this process is."""
    return Points(Path(os.environ[VARIABLE]), os.environ["K_SERVICE"])


@dataclass(frozen=True)
class MovedClock:
    """The real clock, moved by the seconds in a file."""

    file: Path

    def __call__(self) -> datetime:
        """Return the moved time."""
        try:
            moved = float(self.file.read_text(encoding="ascii"))
        except FileNotFoundError:
            moved = 0.0
        return datetime.now(UTC) + timedelta(seconds=moved)

    def move(self, seconds: float) -> None:
        """Move the clock of everybody who reads this file, in one step."""
        unfinished = self.file.with_suffix(".new")
        unfinished.write_text(str(seconds), encoding="ascii")
        unfinished.replace(self.file)


def clock(folder: Path, name: str) -> MovedClock:
    """Return a clock that the soak moves."""
    return MovedClock(folder / f"{name}.clock")
