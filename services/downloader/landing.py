"""Land one minute: write its lines and rejects, and return the manifest that commits them.

The two data objects have unique names, so they never affect an earlier landing. They count only once a manifest names
them; until then they may be deleted.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

import google_crc32c
from isal import isal_zlib

from services.downloader.background import in_background
from services.downloader.json_objects import BadLineError
from services.downloader.lines import Framer, Line, split_lines
from shared.contracts.interfaces import Bucket, Writer
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import landing_name, utc_now
from shared.contracts.outcomes import Retryable
from shared.contracts.reject_policy import rejects_allowed

_PIECE_BYTES = 1024 * 1024


class ChangedShapeError(Retryable):
    """Too many lines of a package are bad; the source has probably changed its format."""


@dataclass
class _Gathered:
    """Batches framed lines into pieces that are worth a thread switch."""

    target: Writer
    _waiting: list[bytes] = field(default_factory=list)
    _bytes: int = 0

    def write(self, data: bytes) -> None:
        self._waiting.append(data)
        self._bytes += len(data)
        if self._bytes >= _PIECE_BYTES:
            self.hand_on()

    def hand_on(self) -> None:
        self.target.write(b"".join(self._waiting))
        self._waiting, self._bytes = [], 0


@dataclass(frozen=True)
class _Gzip:
    """Compresses what is written."""

    target: Writer
    _compressor: isal_zlib.Compress = field(default_factory=lambda: isal_zlib.compressobj(level=1, wbits=31))

    def write(self, data: bytes, /) -> int:
        self.target.write(self._compressor.compress(data))
        return len(data)

    def end(self) -> None:
        self.target.write(self._compressor.flush())


@contextmanager
def _gzipped(target: Writer) -> Iterator[_Gathered]:
    """Compress and write to a target in a background thread."""
    gzip = _Gzip(target)
    with in_background(gzip) as writer:
        gathered = _Gathered(writer)
        yield gathered
        gathered.hand_on()
    gzip.end()


@dataclass
class _Checksum:
    """A CRC32C computed while data passes."""

    value: google_crc32c.Checksum = field(default_factory=google_crc32c.Checksum)

    def update(self, data: bytes) -> None:
        self.value.update(data)  # type: ignore[no-untyped-call]

    def hex(self) -> str:
        digest: bytes = self.value.digest()  # type: ignore[no-untyped-call]
        return digest.hex()


@dataclass(frozen=True)
class _Checked:
    """An object being written, and the checksum of its bytes."""

    target: Writer
    checksum: _Checksum = field(default_factory=_Checksum)

    def write(self, data: bytes, /) -> int:
        self.checksum.update(data)
        return self.target.write(data)


@dataclass
class _Counts:
    lines: int = 0
    rejected: int = 0
    size: int = 0
    checksum: _Checksum = field(default_factory=_Checksum)

    def of(self, pieces: Iterable[bytes]) -> Iterable[bytes]:
        for piece in pieces:
            self.size += len(piece)
            self.checksum.update(piece)
            yield piece


def land(
    bucket: Bucket,
    feed: str,
    minute: datetime,
    pieces: Iterable[bytes],
    identity: Sequence[str] = ("id",),
    *,
    now: Callable[[], datetime] = utc_now,
) -> MinuteLanded:
    """Write a package's lines and rejects, and return the manifest that will commit them.

    identity are the paths whose values, joined by slashes, are a line's id.
    An exception of `pieces`, or ChangedShapeError, leaves no object behind.
    """
    stem = f"{landing_name(feed, minute)}-{uuid4().hex[:12]}"
    data, rejects = f"{stem}.ndjson.gz", f"{stem}.rejects.ndjson"
    counts = _Counts()
    with ExitStack() as writers:
        landing = _Landing(bucket, writers, data, rejects, Framer(minute, identity))
        for line in split_lines(counts.of(pieces)):
            counts.lines += 1
            counts.rejected += not landing.take(line)
        _refuse_changed_shape(counts)
    return MinuteLanded(
        feed=feed,
        minute=minute,
        uri=bucket.uri(data),
        rejects_uri=bucket.uri(rejects) if counts.rejected else None,
        crc32c=counts.checksum.hex(),
        lines=counts.lines,
        rejected=counts.rejected,
        bytes=counts.size,
        landed_at=now(),
        object_crc32c=landing.data_checksum.hex(),
        rejects_crc32c=landing.rejects.checksum.hex() if landing.rejects else None,
    )


class _Landing:
    """The two objects of a minute while they are written; rejects are created with the first bad line."""

    def __init__(self, bucket: Bucket, writers: ExitStack, data: str, rejects: str, framer: Framer) -> None:
        self._bucket, self._writers, self._rejects_name, self._framer = bucket, writers, rejects, framer
        stored = _Checked(writers.enter_context(bucket.writing(data, "application/gzip")))
        self._data = writers.enter_context(_gzipped(stored))
        self.data_checksum = stored.checksum
        self.rejects: _Checked | None = None

    def take(self, line: Line) -> bool:
        """Write a line to the data or the rejects; return whether it is good."""
        try:
            framed = self._framer.frame(line)
        except BadLineError as error:
            self._reject(line, str(error))
            return False
        for part in framed:
            self._data.write(part)
        return True

    def _reject(self, line: Line, reason: str) -> None:
        if self.rejects is None:
            target = self._writers.enter_context(self._bucket.writing(self._rejects_name, "application/x-ndjson"))
            self.rejects = _Checked(target)
        for part in self._framer.reject(line, reason):
            self.rejects.write(part)


def _refuse_changed_shape(counts: _Counts) -> None:
    if counts.rejected > rejects_allowed(counts.lines):
        raise ChangedShapeError(
            f"{counts.rejected} of {counts.lines} lines are bad: the source changed its shape, nothing landed"
        )
