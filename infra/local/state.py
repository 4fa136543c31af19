"""The state folder of a local mesh: who holds it, and what lies where."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.endpoints import FILE_NAME
from shared.outcomes import Misconfigured

_LOCK = "mesh.lock"
_HOLDER = "mesh.pid"


@dataclass(frozen=True)
class StateFolder:
    """One folder that holds everything a local mesh keeps."""

    path: Path

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.path / "logs"

    @property
    def storage(self) -> Path:
        """The buckets: gs://bucket/name is storage/bucket/name."""
        return self.path / "storage"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file behind the BigQuery emulator."""
        return self.path / "warehouse"

    @property
    def pubsub(self) -> Path:
        """The backlog of the embedded Pub/Sub."""
        return self.path / "pubsub"

    @property
    def secops(self) -> Path:
        """What the simulated SecOps has accepted."""
        return self.path / "secops"

    @property
    def home(self) -> Path:
        """The HOME of every process, so that nothing of the user's own configuration or credentials is read."""
        return self.path / "home"

    @property
    def endpoints(self) -> Path:
        """The file by which other programs find the running mesh."""
        return self.path / FILE_NAME

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self.logs / f"{part}.log"

    @contextmanager
    def claimed(self, *, fresh: bool) -> Iterator[None]:
        """Hold the folder for this process alone, made empty first if `fresh`.

        Raises Misconfigured when another mesh holds it, or when it has content that no mesh has written.
        """
        from filelock import FileLock, Timeout

        self._refuse_strange_content()
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / _LOCK, preserve_lock_file=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise Misconfigured(
                f"{self.path} is in use by process {self._holder()}; stop that mesh or choose another folder"
            ) from None
        try:
            (self.path / _HOLDER).write_text(f"{os.getpid()}\n", encoding="ascii")
            self._prepare(fresh=fresh)
            yield
        finally:
            (self.path / _HOLDER).unlink(missing_ok=True)
            lock.release()

    def _refuse_strange_content(self) -> None:
        if self.path.is_dir() and any(self.path.iterdir()) and not (self.path / _LOCK).exists():
            raise Misconfigured(f"{self.path} is not empty and no state folder of a mesh; choose another folder")

    def _holder(self) -> str:
        try:
            return (self.path / _HOLDER).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return "(unknown)"

    def _prepare(self, *, fresh: bool) -> None:
        self.endpoints.unlink(missing_ok=True)
        gone = [self.logs, self.home, *([self.storage, self.warehouse, self.pubsub, self.secops] if fresh else [])]
        for folder in gone:
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.logs, self.home, self.storage, self.warehouse, self.pubsub, self.secops):
            folder.mkdir(exist_ok=True)
