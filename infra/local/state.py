"""The state folder of a local mesh: its lock and its layout."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from infra.endpoints import FILE_NAME, LOCK_NAME
from shared.contracts.outcomes import Misconfigured

_HOLDER = "mesh.pid"
# A command that checks whether a mesh runs holds the lock for a moment.
_LOCK_SECONDS = 0.5
Port = Annotated[int, Field(ge=1, le=65535)]


@dataclass(frozen=True)
class StateFolder:
    """One folder that holds everything a local mesh keeps."""

    path: Path

    @property
    def logs(self) -> Path:
        """One log file per process."""
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
        """The logs that the simulated SecOps has accepted."""
        return self.path / "secops"

    @property
    def home(self) -> Path:
        """The HOME of every process, so that the user's configuration and credentials are not read."""
        return self.path / "home"

    @property
    def endpoints(self) -> Path:
        """The file by which other programs find the running mesh."""
        return self.path / FILE_NAME

    @property
    def contents(self) -> Path:
        """The record of the folder's contents."""
        return self.path / "contents.json"

    @property
    def ports(self) -> Path:
        """The ports of the last mesh, which the next one takes again."""
        return self.path / "ports.json"

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self.logs / f"{part}.log"

    def read_ports(self) -> dict[str, int]:
        """Return the ports of the last mesh, by name; none if there was none, or the file is corrupt."""
        try:
            return TypeAdapter(dict[str, Port]).validate_json(self.ports.read_bytes())
        except (FileNotFoundError, ValidationError):
            return {}

    def write_ports(self, ports: Mapping[str, int]) -> None:
        """Remember ports for the next mesh."""
        self.ports.write_text(json.dumps(dict(ports), indent=2) + "\n", encoding="ascii")

    @contextmanager
    def claimed(self, *, fresh: bool) -> Iterator[None]:
        """Lock the folder for this process, emptied first if `fresh`.

        Raises Misconfigured if another mesh holds it, or if it has content that was not written by a mesh.
        """
        from filelock import FileLock, Timeout

        self._refuse_strange_content()
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / LOCK_NAME, preserve_lock_file=True)
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
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
        if self.path.is_dir() and any(self.path.iterdir()) and not (self.path / LOCK_NAME).exists():
            raise Misconfigured(f"{self.path} is not empty and not a state folder of a mesh; choose another folder")

    def _holder(self) -> str:
        try:
            return (self.path / _HOLDER).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return "(unknown)"

    def _prepare(self, *, fresh: bool) -> None:
        self.endpoints.unlink(missing_ok=True)
        if fresh:
            self.contents.unlink(missing_ok=True)
        gone = [self.logs, self.home, *([self.storage, self.warehouse, self.pubsub, self.secops] if fresh else [])]
        for folder in gone:
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.logs, self.home, self.storage, self.warehouse, self.pubsub, self.secops):
            folder.mkdir(exist_ok=True)
