"""Compare each line of a landed package with history: number, id and object.

It reads packages and history completely, so it is for short times. For each minute a sum over its lines is compared, so
that rows may come in any order and memory does not grow with their number.
"""

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from itertools import groupby

import orjson

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import MinuteLanded
from shared.contracts.outcomes import MeshError
from shared.feeds.definition import Feed
from shared.gcp.bigquery import stream_rows
from shared.operations.accounts import AUDIT_SECONDS, MinuteAccount
from shared.operations.findings import Finding, about, about_package
from shared.operations.landed_objects import LandedMinutes
from shared.operations.mesh import Mesh
from shared.operations.rejects import read_rejects
from shared.runtime.json_bytes import read_json, read_object
from shared.warehouse.rendering import render

_READERS = 4
_MODULUS = 1 << 64


def compare_lines(
    mesh: Mesh, feed: Feed, accounts: Mapping[datetime, MinuteAccount], landed: LandedMinutes, now: datetime
) -> Iterator[Finding]:
    """Yield the merged minutes whose lines in history are not those of the package."""
    packages = {package.minute: package for package in _comparable(accounts, landed)}
    for _, some in groupby(sorted(packages), key=datetime.date):
        minutes = list(some)
        kept = _in_history(mesh, feed, minutes)
        with ThreadPoolExecutor(_READERS) as readers:
            found = readers.map(lambda minute: packages[minute].lines(mesh.bucket), minutes)
            for minute, lines in zip(minutes, found, strict=True):
                if isinstance(lines, str):
                    yield about_package(feed.name, minute, lines, now)
                elif lines != kept[minute]:
                    yield about(feed.name, minute, "has other lines in history than in its package", "--replace")


def statement(mesh: Mesh, feed: Feed) -> str:
    """Return the query that reads history."""
    return render("shared.operations/history_lines.sql", dataset=mesh.dataset, feed=feed)


@dataclass(frozen=True)
class _Package:
    """A landed minute that is merged; has_refused says whether BigQuery has refused some of its lines."""

    manifest: MinuteLanded
    has_refused: bool

    @property
    def minute(self) -> datetime:
        return self.manifest.minute

    def lines(self, bucket: Bucket) -> int | str:
        """Return the sum of the lines that history should have, or why the package cannot be read."""
        try:
            return _in_package(bucket, self.manifest, self._refused(bucket))
        except (MeshError, OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
            return f"its package {self.manifest.uri} cannot be read: {error}"

    def _refused(self, bucket: Bucket) -> Set[int | None]:
        if not self.has_refused:
            return frozenset()
        rejects = read_rejects(bucket, self.manifest.feed, self.manifest.minute)
        return frozenset(reject.feed_line for reject in rejects)


def _comparable(accounts: Mapping[datetime, MinuteAccount], landed: LandedMinutes) -> Iterator[_Package]:
    """Yield the minutes of which only lines can be wrong; any other error of a minute is already a finding."""
    for minute, there in landed.minutes.items():
        account = accounts.get(minute)
        if account and account.state == "merged" and there.manifest and not there.damage and not account.mismatch():
            yield _Package(there.manifest, (account.rejected or 0) > there.manifest.rejected)


def _in_history(mesh: Mesh, feed: Feed, minutes: Sequence[datetime]) -> Mapping[datetime, int]:
    bounds = {"first_minute": minutes[0], "last_minute": minutes[-1]}
    sums: Counter[datetime] = Counter()
    for row in stream_rows(mesh.warehouse, statement(mesh, feed), bounds, seconds=AUDIT_SECONDS):
        sums[row["feed_minute"]] += digest(row["feed_line"], row["id"], read_json(row["object"].encode()))
    return Counter({minute: count % _MODULUS for minute, count in sums.items()})


def _in_package(bucket: Bucket, manifest: MinuteLanded, refused: Set[int | None]) -> int:
    stored = bucket.read(bucket.name_of(manifest.uri))
    if stored is None:
        raise KeyError("it is gone")
    total = 0
    with gzip.open(BytesIO(stored.data)) as lines:
        for line in lines:
            framed = read_object(line)
            if framed["feed_line"] not in refused:
                total += digest(framed["feed_line"], framed["id"], framed["object"])
    return total % _MODULUS


def digest(feed_line: object, identifier: object, value: object) -> int:
    """Return a number that depends on a line's number, id and object, and not on the format of the object's JSON."""
    content = [feed_line, identifier, value]
    try:
        written = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Numbers beyond 64 bits.
        written = json.dumps(content, sort_keys=True).encode()
    return int.from_bytes(hashlib.blake2b(written, digest_size=8).digest())
