"""The process that ends a local mesh when the mesh cannot do it itself, after `kill -9` for instance.

It reads process groups from a pipe (`+PGID` when one started, `-PGID` when one has ended). The pipe's other end is held
by the mesh alone, so its end means that the mesh is gone, and whatever group is still known is stopped.
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


class Reaper:
    """The mesh's side of the pipe."""

    def __init__(self, remove_at_end: Path) -> None:
        """Start the process; `remove_at_end` is deleted when the mesh was killed."""
        self._process = subprocess.Popen(  # noqa: S603 (our own module)
            # -P: it runs where the caller stands, whose files must not be able to shadow a module.
            [sys.executable, "-P", "-m", "infra.local.reaper", str(remove_at_end)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def started(self, group: int) -> None:
        """Tell that a process group has started."""
        self._tell(f"+{group}\n")

    def ended(self, group: int) -> None:
        """Tell that a process group has ended, so that its number may be someone else's next."""
        with suppress(BrokenPipeError):
            # A reaper that was killed itself must not keep the mesh from stopping the other parts.
            self._tell(f"-{group}\n")

    def close(self) -> None:
        """Close the pipe and wait until the process has ended what was left."""
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(timeout=GRACE_SECONDS + 5)

    def _tell(self, line: str) -> None:
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
    """Send a signal to a process group; return False when the group is gone."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # macOS answers EPERM for a group of which only zombies are left.
        return False
    return True


def end_groups(groups: Iterable[int]) -> None:
    """Ask the groups to end, and kill those that have not after the grace period."""
    left = [group for group in groups if signal_group(group, signal.SIGTERM)]
    deadline = time.monotonic() + GRACE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        left = [group for group in left if signal_group(group, 0)]
    for group in left:
        signal_group(group, signal.SIGKILL)


def main() -> None:
    """Read the pipe until the mesh is gone; then end what it left behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left = groups_left(sys.stdin)
    if left:
        end_groups(left)
        Path(sys.argv[1]).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
