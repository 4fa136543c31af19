"""Trouble for a process or its disk that a kill is not: no room, no right to write, no time."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

End = Callable[[], None]


def fill_disk(pid: int) -> End:
    """Let a process write no byte into any file, as on a full disk, until the end is called."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def end() -> None:
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        except ProcessLookupError:
            return

    return end


def make_read_only(folder: Path) -> End:
    """Let nobody write below a folder until the end is called; root is stopped by a mount, others by permissions."""
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
    """Stop a process group in the middle of its work until the end is called: it comes back, late, as if alone."""
    os.killpg(pid, signal.SIGSTOP)

    def end() -> None:
        try:
            os.killpg(pid, signal.SIGCONT)
        except ProcessLookupError:
            return

    return end


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, timeout=10, capture_output=True, text=True)  # noqa: S603 (our own words)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
