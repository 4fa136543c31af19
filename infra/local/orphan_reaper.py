"""A process that ends the processes of a local mesh that cannot do so itself, for example after `kill -9`.

It reads process groups from a pipe (`+PGID` when one starts, `-PGID` when one has ended). Only the mesh holds the other
end, so the end of the pipe means that the mesh is gone; all remaining groups are then stopped.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 2.0
_POLL_SECONDS = 0.05


class OrphanReaper:
    """The mesh's side of the pipe."""

    def __init__(self, remove_at_end: Path) -> None:
        """Start the process; `remove_at_end` is deleted if the mesh was killed."""
        self._process = subprocess.Popen(  # noqa: S603 (our own module)
            # -P: files in the caller's working directory must not shadow a module.
            [sys.executable, "-P", "-m", "infra.local.orphan_reaper", str(remove_at_end)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def started(self, group: int) -> None:
        """Register a process group."""
        self._send(f"+{group}\n")

    def ended(self, group: int) -> None:
        """Unregister a process group that has ended, because its number may be reused."""
        with suppress(BrokenPipeError):
            # A killed reaper must not prevent the mesh from stopping the other parts.
            self._send(f"-{group}\n")

    def close(self) -> None:
        """Close the pipe and wait until the process has ended the remaining groups."""
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(timeout=GRACE_SECONDS + 5)

    def _send(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(line)
            self._process.stdin.flush()


def groups_left(lines: Iterable[str]) -> set[int]:
    """Return the groups that started and never ended."""
    left: set[int] = set()
    for line in lines:
        if line.startswith("+"):
            left.add(int(line[1:]))
        else:
            left.discard(int(line[1:]))
    return left


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; return False if the group is gone."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # macOS returns EPERM for a group with only zombies.
        return False
    return True


def end_groups(groups: Iterable[int]) -> None:
    """Terminate the groups, and kill those that have not ended after the grace period."""
    left = [group for group in groups if signal_group(group, signal.SIGTERM)]
    deadline = time.monotonic() + GRACE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        left = [group for group in left if signal_group(group, 0)]
    for group in left:
        signal_group(group, signal.SIGKILL)


def main() -> None:
    """Read the pipe until the mesh is gone; then end the remaining groups."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left = groups_left(sys.stdin)
    if left:
        end_groups(left)
        Path(sys.argv[1]).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
