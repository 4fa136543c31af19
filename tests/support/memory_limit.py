"""Run a command with a memory limit as a container has: in its own control group.

`ulimit -v` limits address space, not memory: an idle downloader has some 1.5 GiB, for stacks of threads and arenas of
malloc that are not in use, and its decoders would not be counted. A control group counts the resident memory of all
processes and of temporary files in memory, and kills as Cloud Run does.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from infra.local import process_specs
from infra.local.tcp_ports import free_ports
from infra.topology import read_topology
from tests.support.optional_tools import CGROUPS
from tests.support.waiting import PATIENCE, wait_until

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Limited:
    """A control group with a limit."""

    folder: Path

    def command(self, *command: str) -> tuple[str, ...]:
        """Return a command that runs this one in the group."""
        return ("/bin/sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh", *command)

    def peak(self) -> int:
        """Return the peak usage in bytes, including the page cache."""
        return int(self._first("memory.max_usage_in_bytes", "memory.peak").read_text())

    def kills(self) -> int:
        """Return the number of processes killed for memory."""
        text = self._first("memory.oom_control", "memory.events").read_text()
        return int(dict(line.split() for line in text.splitlines())["oom_kill"])

    def _first(self, *names: str) -> Path:
        return next(self.folder / name for name in names if (self.folder / name).exists())


@contextmanager
def limited(mebibytes: float) -> Iterator[Limited]:
    """Yield a control group with a limit; skip the test where none can be made, which needs root or delegation."""
    group = Limited(_parent() / f"gti-mesh-{uuid4().hex[:8]}")
    try:
        group.folder.mkdir()
    except OSError:
        pytest.skip(CGROUPS.reason)
    try:
        limits = [group.folder / name for name in ("memory.limit_in_bytes", "memory.max")]
        files = [file for file in limits if file.exists()]
        if not files:
            pytest.skip(CGROUPS.reason)
        files[0].write_text(str(int(mebibytes * 2**20)))
        yield group
    finally:
        group.folder.rmdir()


@contextmanager
def limited_service(name: str, group: Limited, settings: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Run a service as Cloud Run would, in a control group, and yield its address; its log is in the folder."""
    # On Cloud Run a temporary file is memory.
    environment = {**os.environ, "TMPDIR": "/dev/shm", "HOME": str(folder), **settings}  # noqa: S108
    [port] = free_ports(1)
    part = process_specs.service(name, read_topology().services[name], port, environment)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            group.command(*part.command), env=dict(part.environment), stdout=log, stderr=log, start_new_session=True
        )
    wait_until(lambda: part.ready() or process.poll() is not None, f"{name} answers")
    assert process.poll() is None, (folder / "log").read_text()
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(PATIENCE)


def _parent() -> Path:
    """Return the parent of a new group: this process's own, or the root where that is not visible."""
    for line in _OWN.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            group = _ROOT / "memory" / path.lstrip("/")
            return group if group.exists() else _ROOT / "memory"
    return _ROOT
