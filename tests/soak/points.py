"""Fault points: places in wrappers of the ports at which a service dies when the soak has armed them.

The services do not know them: tests/soak/services builds the real services with these wrappers. A file arms a point;
the process that deletes the file dies, once.
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
    """The fault points of one service, armed by files in a folder."""

    folder: Path
    service: str

    def file(self, place: str) -> Path:
        """Return the file that arms a place."""
        return self.folder / f"{self.service}.{place}"

    def arm(self, place: str) -> None:
        """Make the service die at this point, the next time that it reaches it."""
        self.file(place).touch()

    def disarm(self) -> list[str]:
        """Disarm all points; return those that were not reached."""
        armed = list(self.folder.glob(f"{self.service}.*.*"))
        for file in armed:
            file.unlink(missing_ok=True)
        return [file.name.removeprefix(f"{self.service}.") for file in armed]

    def reach(self, place: str) -> None:
        """Kill this process and its children here, if this point is armed."""
        if self._take(place):
            die()

    def reach_within(self, place: str, seconds: float) -> None:
        """Die a moment later, in the middle of the next step."""
        if self._take(place):
            Timer(seconds, die).start()

    @contextmanager
    def around(self, step: str) -> Iterator[None]:
        """Run a step with a point before it and one after it."""
        self.reach(f"{step}.before")
        yield
        self.reach(f"{step}.after")

    def _take(self, place: str) -> bool:
        with suppress(FileNotFoundError):
            self.file(place).unlink()
            return True
        return False


def die() -> None:
    """End the process group as `kill -9` does, without any cleanup."""
    os.killpg(0, signal.SIGKILL)


def here() -> Points:
    """Return the points of this process' service."""
    return Points(Path(os.environ[VARIABLE]), os.environ["K_SERVICE"])


@dataclass(frozen=True)
class MovedClock:
    """The real clock, shifted by the seconds in a file."""

    file: Path

    def __call__(self) -> datetime:
        """Return the shifted time."""
        try:
            moved = float(self.file.read_text(encoding="ascii"))
        except FileNotFoundError:
            moved = 0.0
        return datetime.now(UTC) + timedelta(seconds=moved)

    def move(self, seconds: float) -> None:
        """Shift the clock of every process that reads this file, in one step."""
        unfinished = self.file.with_suffix(".new")
        unfinished.write_text(str(seconds), encoding="ascii")
        unfinished.replace(self.file)


def clock(folder: Path, name: str) -> MovedClock:
    """Return a clock that the soak moves."""
    return MovedClock(folder / f"{name}.clock")
