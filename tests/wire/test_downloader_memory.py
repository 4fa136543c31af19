"""The whole downloader in the memory that the topology declares, with the largest lines in all packages."""

import bz2
import random
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from infra.endpoints import Endpoints
from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.topology import read_topology
from services.downloader.lines import MAX_LINE_BYTES
from shared.contracts.manifests import read_manifest
from shared.contracts.minutes import format_minute
from shared.gcp.storage import StorageBucket, storage_client
from tests.support.memory_limit import Limited, limited, limited_service
from tests.support.simulator import Running
from tests.wire.conftest import envelope

SERVICE = read_topology().services["downloader"]
MEBIBYTES = SERVICE.mebibytes
FIRST = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=4)
MINUTES = [FIRST + timedelta(minutes=number) for number in range(SERVICE.concurrency)]
PUSH_SECONDS = 400.0
# What bzip2 hardly compresses: with two such lines a package has 100 MB, and four do not fit into memory.
NOISE = b64encode(random.Random(1).randbytes(3 * 2**18))  # noqa: S311 - the same noise in every run
KINDS = {
    "noise": (b'"', NOISE, b'"'),
    "arrays": (b"[0", b",[]" * 349_525, b"]"),
    "numbers": (b"[0", b",1.5" * 262_144, b"]"),
    "not JSON": (b'"', b"\0" * 2**20, b'"'),
}


def stream(text: bytes) -> bytes:
    """Return a bzip2 stream."""
    return bz2.compress(text)


def line(kind: str) -> tuple[bytes, int]:
    """Return a line close to the maximum size, as bzip2 streams, and its size."""
    begun, repeated, ended = KINDS[kind]
    begun = b'{"id":"x","a":' + begun
    count = MAX_LINE_BYTES // len(repeated) - 1
    package = stream(begun) + stream(repeated) * count + stream(ended + b"}\n")
    return package, len(begun) + len(repeated) * count + len(ended) + 2


@pytest.fixture
def group() -> Iterator[Limited]:
    """Yield a control group with the declared memory."""
    with limited(MEBIBYTES) as group:
        yield group


@pytest.fixture
def url(wired: Endpoints, vt: Running, group: Limited, tmp_path: Path) -> Iterator[str]:
    """Run the downloader as Cloud Run would, in a control group, and yield its address."""
    settings = {
        **wired.environment(),
        "VT_API_URL": f"{vt.url}/api/v3",
        "VT_API_KEY": DEFAULT_KEY,
        "MEMORY_LIMIT": SERVICE.memory,
    }
    with limited_service("downloader", group, settings, tmp_path) as address:
        yield f"{address}/"


def test_large_lines_in_every_place_fit_into_the_declared_memory(
    url: str, group: Limited, vt: Running, wired: Endpoints
) -> None:
    """Four packages of 100 MB at once, each with lines of 64 MiB of several kinds, land, and no process is killed."""
    made = {kind: line(kind) for kind in KINDS}
    kinds = [["noise", kind, "noise"] for kind in (*KINDS, "noise")][: len(MINUTES)]
    for minute, chosen in zip(MINUTES, kinds, strict=True):
        vt.control.give_package("domains", minute, b"".join(made[kind][0] for kind in chosen))

    def ask(minute: datetime) -> int:
        body = envelope({"feed": "domains", "minute": format_minute(minute)})
        return requests.post(url, json=body, timeout=PUSH_SECONDS).status_code

    with ThreadPoolExecutor(len(MINUTES)) as threads:
        assert list(threads.map(ask, MINUTES)) == [204] * len(MINUTES)
    bucket = StorageBucket(wired.bucket, storage_client(wired.project, wired.storage))
    for minute, chosen in zip(MINUTES, kinds, strict=True):
        landed = read_manifest(bucket, "domains", minute)
        assert landed
        assert (landed.lines, landed.rejected) == (3, chosen.count("not JSON"))
        assert landed.bytes == sum(made[kind][1] for kind in chosen)
        for uri in filter(None, (landed.uri, landed.rejects_uri)):
            bucket.delete(uri.removeprefix(bucket.uri("")))
    assert group.kills() == 0
    print(f"peak of {MEBIBYTES} MiB: {group.peak() / 2**20:.0f} MiB")  # noqa: T201 - for docs/scale.md
