"""Faults of a process or its disk other than a kill: no space, no write permission, no CPU time."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

End = Callable[[], None]


def fill_disk(pid: int) -> End:
    """Make all writes of a process to files fail, as on a full disk, until the returned function is called."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def end() -> None:
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        except ProcessLookupError:
            return

    return end


def make_read_only(folder: Path) -> End:
    """Make a folder read-only until the returned function is called, for root by a mount, for others by permissions."""
    if os.geteuid() == 0:
        _run("mount", "--bind", str(folder), str(folder))
        try:
            _run("mount", "-o", "remount,ro,bind", str(folder))
        except OSError:
            # Busy: a file was being written through the new mount.
            _run("umount", "--lazy", str(folder))
            raise
        return lambda: _run("umount", "--lazy", str(folder))
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for one in folders:
        one.chmod(0o555)

    def end() -> None:
        for one in folders:
            one.chmod(0o755)

    return end


def pause(pid: int) -> End:
    """Stop a process group during its work until the returned function is called.

    It continues late, unaware of the pause.
    """
    os.killpg(pid, signal.SIGSTOP)

    def end() -> None:
        try:
            os.killpg(pid, signal.SIGCONT)
        except ProcessLookupError:
            return

    return end


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)  # noqa: S603 (our own words)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
