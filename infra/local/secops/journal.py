"""The accepted requests in a file, so that they survive a killed simulator."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Accepted(BaseModel):
    """One accepted request: the keys of its logs, and the digest and size of its body."""

    model_config = ConfigDict(frozen=True)

    log_type: str
    keys: tuple[str, ...]
    digest: str
    size: int


class Journal:
    """One line per accepted request, written before the response; without a file nothing is kept."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def read(self) -> Iterator[Accepted]:
        """Yield the accepted requests; a line truncated by a crash was never acknowledged, and is dropped."""
        if self._file is not None and self._file.exists():
            content = self._file.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if whole != content:
                self._file.write_bytes(whole)
            for line in whole.splitlines():
                yield Accepted.model_validate_json(line)

    def write(self, accepted: Accepted) -> None:
        """Append a request; it survives the process, but not a power failure."""
        if self._file is not None:
            with self._file.open("ab") as file:
                file.write(accepted.model_dump_json().encode() + b"\n")

    def clear(self) -> None:
        """Delete everything."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
