"""One part of the local mesh as a process in its own session, with a log file."""

import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.reaper import Reaper, signal_group
from shared.outcomes import MeshError

_TAIL_LINES = 10


class PartFailed(MeshError):
    """A part of the local mesh did not start, or ended by itself; the text ends with the last lines of its log."""


@dataclass(frozen=True)
class Part:
    """What to run, and how to tell that it is ready."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    start_seconds: float = 30.0
    stop_seconds: float = 2.0


class PartProcess:
    """A part that runs."""

    def __init__(self, part: Part, log: Path, reaper: Reaper) -> None:
        """Start the process."""
        self.part = part
        self.log = log
        self._started_at = time.monotonic()
        self._reaper = reaper
        with log.open("ab") as output:
            self._popen = subprocess.Popen(  # noqa: S603 (commands are built in parts.py)
                part.command,
                cwd=log.parent.parent,
                env=dict(part.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        reaper.started(self._popen.pid)

    @property
    def pid(self) -> int:
        """The process, which also leads its process group."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self._popen.poll()

    def age(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._started_at

    def check_on_time(self) -> None:
        """Raise PartFailed when the process, not ready yet, should have been by now."""
        if self.age() > self.part.start_seconds:
            raise PartFailed(self._told(f"was not ready within {self.part.start_seconds:.0f} s"))

    def check(self) -> None:
        """Raise PartFailed when the process has ended."""
        code = self.exit_code()
        if code is not None:
            raise PartFailed(self._told(f"ended by itself with exit code {code}"))

    def terminate(self) -> None:
        """Ask the process to end."""
        if self.exit_code() is None:
            self._popen.terminate()

    def wait(self, deadline: float) -> None:
        """Wait for the end until the deadline (monotonic), then kill; the whole group is gone when this returns."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=max(0.0, deadline - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        """Kill the process and everything it started."""
        signal_group(self.pid, signal.SIGKILL)
        self._popen.wait(timeout=10)
        self._reaper.ended(self.pid)

    def _told(self, what: str) -> str:
        return "\n".join([f"{self.part.name} {what}; the end of {self.log}:", *tail(self.log)])


def tail(log: Path) -> list[str]:
    """Return the last lines of a log file."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        return [f"  {line.rstrip()}" for line in deque(lines, _TAIL_LINES)]
