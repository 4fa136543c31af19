"""Lines that BigQuery rejected: those missing in the warehouse, kept next to the data with the error message."""

import gzip
import re
from collections.abc import Iterator, Set
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, BinaryIO

from shared.contracts.interfaces import Bucket
from shared.contracts.manifests import load_rejects_name
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import landing_name, replay_command
from shared.contracts.outcomes import Poison
from shared.runtime.json_bytes import write_json

if TYPE_CHECKING:
    # Python has it from 3.12 on.
    from typing_extensions import Buffer

# The beginning of every line framed by the downloader.
_HEAD = re.compile(rb'\{"feed_minute":"[^"]*","feed_line":(\d+),')


def check_landed(bucket: Bucket, landed: MinuteLanded) -> None:
    """Raise Poison if the landed object is gone; it is not read."""
    name = bucket.name_of(landed.uri)
    if name not in bucket.names(name):
        raise _gone(landed)


class _Stored(RawIOBase):
    """A stored object as a file, of which one piece is in memory."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: "Buffer", /) -> int:
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        into = memoryview(target)
        count = min(len(into), len(self._piece))
        into[:count], self._piece = self._piece[:count], self._piece[count:]
        return count


def _gone(landed: MinuteLanded) -> Poison:
    again = replay_command(landed.feed, landed.minute, landed.minute, "--replace", "--force")
    return Poison("object_missing", f"{landed.uri} does not exist any more; to land the minute again: {again}")


def keep_rejects(bucket: Bucket, landed: MinuteLanded, kept: Set[int], reason: str) -> int:
    """Write the lines that were not kept to the rejects object, and return their number."""
    check_landed(bucket, landed)
    # Of a minute in which BigQuery refuses lines, an instance may have two dozen at once.
    stored = BufferedReader(_Stored(bucket.pieces(bucket.name_of(landed.uri))))
    rejects = list(_rejects(stored, kept, reason))
    if rejects:
        # A redelivery finds the same lines missing, so an existing object has the same content.
        bucket.create(load_rejects_name(bucket, landed), b"".join(rejects), "application/x-ndjson")
    return len(rejects)


def _rejects(landed: BinaryIO, kept: Set[int], reason: str) -> Iterator[bytes]:
    with gzip.open(landed) as lines:
        for line in lines:
            head = _HEAD.match(line)
            number = int(head.group(1)) if head else None
            if number is None or number not in kept:
                reject = {"feed_line": number, "reason": reason, "line": line.decode(errors="replace").rstrip("\n")}
                yield write_json(reject) + b"\n"


def names_this_minute(bucket: Bucket, landed: MinuteLanded) -> bool:
    """Return whether an address is exactly one object of this minute; a `*` would load other objects too."""
    stem = re.escape(bucket.uri(landing_name(landed.feed, landed.minute)))
    return re.fullmatch(rf"{stem}-[A-Za-z0-9_-]+\.ndjson\.gz", landed.uri) is not None
