"""A bucket in a local folder, with generations, for running without Cloud Storage."""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from shared.contracts.interfaces import Listed, Stored, Writer
from shared.contracts.outcomes import Misconfigured

_LOCK = ".lock"
_UNFINISHED = ".unfinished"
_PIECE_BYTES = 1024 * 1024


class FolderBucket:
    """Objects as files; writes are locked across processes and atomic."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._folder = folder.absolute()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"{folder} cannot be a folder for pages: {error.strerror}") from None

    def uri(self, name: str) -> str:
        """Return the file:// address of an object."""
        return f"{self._folder.as_uri()}/{name}"

    def name_of(self, uri: str) -> str:
        """Return the name of the object at an address returned by uri()."""
        return uri.removeprefix(self.uri(""))

    def read(self, name: str) -> Stored | None:
        """Return an object, or None if it does not exist."""
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        return Stored(data, _generation(data))

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield an object in pieces, none of which stays in memory; yield nothing if it does not exist."""
        with suppress(FileNotFoundError), self._path(name).open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def create(self, name: str, data: bytes, content_type: str = "application/json") -> bool:
        """Write an object that must not exist yet; return False when it does."""
        return self.replace(name, data, 0, content_type)

    def replace(self, name: str, data: bytes, generation: int, content_type: str = "application/json") -> bool:
        """Replace an object that is still at this generation (0: absent); return False when it is not."""
        del content_type
        with self._locked():
            there = self.read(name)
            if (there.generation if there else 0) != generation:
                return False
            self._put(name, data)
            return True

    def names(self, prefix: str) -> Iterable[str]:
        """Return the names that begin with a prefix, in order."""
        files = (path for path in self._folder.rglob("*") if path.is_file() and path.name[0] != ".")
        names = (path.relative_to(self._folder).as_posix() for path in files)
        return sorted(name for name in names if name.startswith(prefix))

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return the objects that begin with a prefix, in order, from the name `start` on."""
        for name in self.names(prefix):
            if name >= start:
                yield Listed(name, datetime.fromtimestamp(self._path(name).stat().st_mtime, UTC))

    def next_name(self, prefix: str, start: str) -> str | None:
        """Return the first name that begins with a prefix, from the name `start` on; None if there is none."""
        return next((name for name in self.names(prefix) if name >= start), None)

    @contextmanager
    def writing(self, name: str, content_type: str) -> Iterator[Writer]:
        """Stream a new object; an exception inside the block leaves no object behind."""
        del content_type
        buffer = BytesIO()
        yield buffer
        with self._locked():
            self._put(name, buffer.getvalue())

    def delete(self, name: str) -> None:
        """Delete an object; a missing object is not an error."""
        with self._locked():
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        path = Path(os.path.normpath(self._folder / name))
        if not path.is_relative_to(self._folder):
            raise Misconfigured(f"{name!r} leads out of {self._folder}")
        return path

    def _put(self, name: str, data: bytes) -> None:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}{_UNFINISHED}")
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _generation(data: bytes) -> int:
    # Consecutive contents of an object always differ: each contains a time or a random name.
    return int.from_bytes(hashlib.sha256(data).digest()[:7]) + 1
