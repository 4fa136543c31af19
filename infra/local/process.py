"""A managed process of the local mesh: in its own session, with a log file."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.log_files import last_lines
from infra.local.orphan_reaper import OrphanReaper, signal_group
from shared.contracts.outcomes import MeshError

_TAIL_LINES = 10


class ProcessFailed(MeshError):
    """A part of the local mesh did not start, or ended by itself; the text ends with the last lines of its log."""


@dataclass(frozen=True)
class ProcessSpec:
    """The command to run, and the check that it is ready."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    # One that has ended is noticed at once; what only is slow, on a machine with other work to do, still comes up.
    start_seconds: float = 120.0
    stop_seconds: float = 2.0


class ManagedProcess:
    """A running part."""

    def __init__(self, part: ProcessSpec, log: Path, reaper: OrphanReaper) -> None:
        """Start the process."""
        self.part = part
        self.log = log
        self._started_at = time.monotonic()
        self._reaper = reaper
        with log.open("ab") as output:
            self._popen = subprocess.Popen(  # noqa: S603 (commands are built in process_specs.py)
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
        """Raise ProcessFailed if the process has ended or its start timeout has passed."""
        if self.age() > self.part.start_seconds:
            raise ProcessFailed(self._with_log(f"was not ready within {self.part.start_seconds:.0f} s"))

    def check(self) -> None:
        """Raise ProcessFailed if the process has ended."""
        code = self.exit_code()
        if code is not None:
            raise ProcessFailed(self._with_log(f"ended by itself with exit code {code}"))

    def terminate(self) -> None:
        """Terminate the process."""
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
        self._popen.wait(timeout=60)
        self._reaper.ended(self.pid)

    def _with_log(self, what: str) -> str:
        end = (f"  {line.rstrip()}" for line in last_lines(self.log, _TAIL_LINES))
        return "\n".join([f"{self.part.name} {what}; the end of {self.log}:", *end])
