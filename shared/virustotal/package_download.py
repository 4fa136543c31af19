"""The body of a package: read to its full length, resumed where the connection broke.

If the server sent a version (ETag or Last-Modified), the rest of that version is requested. Otherwise, or if the server
does not support ranges, the whole body is read again and its beginning compared. Ranges and lengths count bytes on the
wire; the Content-Encoding is undone afterwards.
"""

import logging
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import requests
from urllib3.exceptions import HTTPError

from shared.contracts.outcomes import TransientError
from shared.virustotal.content_coding import undo_codings
from shared.virustotal.errors import NotAvailableYet, NotLicensed, PackageMissing, RequestRefused

_CHUNK_BYTES = 256 * 1024
# After this many broken connections in one package Pub/Sub's backoff takes over.
_MAX_BREAKS = 5
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)", re.ASCII)

log = logging.getLogger(__name__)

Ask = Callable[[Mapping[str, str]], requests.Response]


class _BrokenOffError(Exception):
    """The connection ended before the body did."""


@dataclass
class PackageDownload:
    """A package being downloaded; one thread reads its chunks, another may stop it."""

    what: str
    answer: requests.Response
    ask: Ask
    _size: int = 0
    _checksum: int = 0
    _stopped: bool = False

    def chunks(self) -> Iterator[bytes]:
        """Return the bytes as they arrive; raise TransientError if the download cannot be completed."""
        return undo_codings(_coding(self.answer), self._on_the_wire(), self.what)

    def stop(self) -> None:
        """Stop reading: wake the reading thread, and drop the connection unless the body was read completely."""
        self._stopped = True
        # Closing alone does not wake a thread that waits for the socket; a finished response has no socket.
        with suppress(RuntimeError, ValueError, OSError):
            self.answer.raw.shutdown()

    def close(self) -> None:
        """Return the connection to the pool if the body was read completely, otherwise close it."""
        self.answer.close()

    def _on_the_wire(self) -> Iterator[bytes]:
        for breaks in range(_MAX_BREAKS + 1):
            try:
                yield from self._rest()
            except _BrokenOffError as error:
                if self._stopped or breaks == _MAX_BREAKS:
                    raise TransientError(f"{self.what}: the connection broke while reading: {error}") from None
                log.info("virustotal.broken_off: %s after %d bytes: %s", self.what, self._size, error)
                self._go_on()
            else:
                return

    def _rest(self) -> Iterator[bytes]:
        for chunk in _read(self.answer):
            self._size += len(chunk)
            self._checksum = zlib.crc32(chunk, self._checksum)
            yield chunk

    def _go_on(self) -> None:
        version, coding = _version(self.answer), _coding(self.answer)
        self.answer.close()
        try:
            self.answer = self.ask({"Range": f"bytes={self._size}-", "If-Range": version} if version else {})
        except (NotAvailableYet, NotLicensed, PackageMissing, RequestRefused) as error:
            raise TransientError(f"broken off after {self._size} bytes, then: {error}") from None
        if _coding(self.answer) != coding:
            raise TransientError(f"{self.what}: the Content-Encoding changed while the package was read")
        if self.answer.status_code == 206:
            self._check_range()
        else:
            self._pass_over()

    def _check_range(self) -> None:
        given = _RANGE.fullmatch(self.answer.headers.get("Content-Range", ""))
        if given is None or int(given[1]) != self._size:
            raise TransientError(f"{self.what}: asked for bytes from {self._size}, got others")

    def _pass_over(self) -> None:
        """Skip the bytes that were already read; raise TransientError if they differ."""
        left, checksum = self._size, 0
        try:
            while left and (chunk := self.answer.raw.read(min(left, _CHUNK_BYTES), decode_content=False)):
                left -= len(chunk)
                checksum = zlib.crc32(chunk, checksum)
        except (HTTPError, OSError) as error:
            raise TransientError(f"{self.what}: the connection broke again: {type(error).__name__}") from None
        if left or checksum != self._checksum:
            raise TransientError(f"{self.what}: the package changed while it was read")


def _read(answer: requests.Response) -> Iterator[bytes]:
    try:
        while chunk := answer.raw.read(_CHUNK_BYTES, decode_content=False):
            yield chunk
    except (HTTPError, OSError, ValueError) as error:
        # ValueError: another thread has closed the response's file.
        raise _BrokenOffError(type(error).__name__) from None


def _coding(answer: requests.Response) -> str:
    return answer.headers.get("Content-Encoding", "")


def _version(answer: requests.Response) -> str | None:
    """Return what If-Range takes: a strong ETag, or a date."""
    etag = answer.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    return answer.headers.get("Last-Modified")
