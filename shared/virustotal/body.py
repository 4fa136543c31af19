"""The body of a package: read to its promised end, or resumed where the connection broke.

A server that named a version of the body (an ETag, or when it was last modified) is asked for the rest of that
version. Any other, or one that does not serve ranges, is asked for all of it again, and what came before is compared.
"""

import logging
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import requests
from urllib3.exceptions import HTTPError

from shared.virustotal.errors import NotAvailableYet, NotLicensed, PackageMissing, RequestRefused, SourceTrouble

_CHUNK_BYTES = 256 * 1024
# A connection that breaks this often in one package is no accident; Pub/Sub's backoff takes over.
_MOST_BREAKS = 5
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)", re.ASCII)

log = logging.getLogger(__name__)

Ask = Callable[[Mapping[str, str]], requests.Response]


class _BrokenOffError(Exception):
    """The connection ended before the body did."""


@dataclass
class Package:
    """A package on its way; one thread reads its chunks, another may stop it."""

    what: str
    answer: requests.Response
    ask: Ask
    _size: int = 0
    _checksum: int = 0
    _stopped: bool = False

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes as they arrive; raise SourceTrouble when they cannot be had to the end."""
        for breaks in range(_MOST_BREAKS + 1):
            try:
                yield from self._rest()
            except _BrokenOffError as error:
                if self._stopped or breaks == _MOST_BREAKS:
                    raise SourceTrouble(f"{self.what}: the connection broke while reading: {error}") from None
                log.info("virustotal.broken_off: %s after %d bytes: %s", self.what, self._size, error)
                self._go_on()
            else:
                return

    def stop(self) -> None:
        """Read no more: whoever waits for bytes is woken, and the connection is given up unless the body is out."""
        self._stopped = True
        # Closing alone does not wake a thread that waits for the socket; an answer that is out has none any more.
        with suppress(RuntimeError, ValueError, OSError):
            self.answer.raw.shutdown()

    def close(self) -> None:
        """Give the connection back when the body is out, and up when it is not."""
        self.answer.close()

    def _rest(self) -> Iterator[bytes]:
        for chunk in _read(self.answer):
            self._size += len(chunk)
            self._checksum = zlib.crc32(chunk, self._checksum)
            yield chunk

    def _go_on(self) -> None:
        version = _version(self.answer)
        self.answer.close()
        try:
            self.answer = self.ask({"Range": f"bytes={self._size}-", "If-Range": version} if version else {})
        except (NotAvailableYet, NotLicensed, PackageMissing, RequestRefused) as error:
            raise SourceTrouble(f"broken off after {self._size} bytes, then: {error}") from None
        if self.answer.status_code == 206:
            self._check_range()
        else:
            self._pass_over()

    def _check_range(self) -> None:
        given = _RANGE.fullmatch(self.answer.headers.get("Content-Range", ""))
        if given is None or int(given[1]) != self._size:
            raise SourceTrouble(f"{self.what}: asked for bytes from {self._size}, got others")

    def _pass_over(self) -> None:
        """Read what has been read before, and raise SourceTrouble when it is not the same."""
        left, checksum = self._size, 0
        try:
            while left and (chunk := self.answer.raw.read(min(left, _CHUNK_BYTES), decode_content=False)):
                left -= len(chunk)
                checksum = zlib.crc32(chunk, checksum)
        except (HTTPError, OSError) as error:
            raise SourceTrouble(f"{self.what}: the connection broke again: {type(error).__name__}") from None
        if left or checksum != self._checksum:
            raise SourceTrouble(f"{self.what}: the package changed while it was read")


def _read(answer: requests.Response) -> Iterator[bytes]:
    try:
        while chunk := answer.raw.read(_CHUNK_BYTES, decode_content=False):
            yield chunk
    except (HTTPError, OSError, ValueError) as error:
        # ValueError: the file of a response that another thread has closed.
        raise _BrokenOffError(type(error).__name__) from None


def _version(answer: requests.Response) -> str | None:
    """Return what If-Range takes: a strong ETag, or a date."""
    etag = answer.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    return answer.headers.get("Last-Modified")
