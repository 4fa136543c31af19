"""The API key must not be in anything that a soak leaves: logs, objects, tables or state."""

import gzip
from collections.abc import Iterator
from pathlib import Path

from infra.local.process_specs import SIMULATOR_KEY

_KEY = SIMULATOR_KEY.encode()
_GZIP = b"\x1f\x8b"


def find_key(folder: Path, key: bytes = _KEY) -> Iterator[Path]:
    """Yield the files below a folder that contain the key, including compressed ones."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink() and key in _content(file):
            yield file


def _content(file: Path) -> bytes:
    data = file.read_bytes()
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError):
        return data
