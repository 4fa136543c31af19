"""The clients that are measured, each in a process of its own that is warm before the clock starts.

Run as `python -m tests.bench.contenders NAME SOURCE STORAGE BUCKET PROCESSORS MINUTE...`; the first minute only warms
up. Prints one line of JSON: seconds on the wall and of the processor, and mebibytes when idle and at the peak.
"""

import bz2
import json
import os
import sys
import time
from bz2 import BZ2Decompressor
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import functions_framework  # noqa: F401 - what the serving process has loaded counts as its idle state
import requests
from pydantic import SecretStr

from services.downloader.download import Downloader
from services.downloader.unpack import Unpacker
from shared.feeds.definition import known_feeds
from shared.gcp.storage import StorageBucket, storage_client
from shared.memory import MemoryPublisher
from shared.messages import MinuteRequested
from shared.virustotal.client import FixedKey, VirusTotal

Fetch = Callable[[str], None]

_DEADLINE = timedelta(minutes=8)


def main(name: str, source: str, storage: str, bucket: str, processors: str, warm: str, *minutes: str) -> None:
    """Fetch the minutes, all at once, and print what it took."""
    os.sched_setaffinity(0, {int(number) for number in processors.split(",")})
    fetch = _CONTENDERS[name](source, storage, bucket)
    fetch(warm)
    with ThreadPoolExecutor(len(minutes)) as threads:
        idle = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        began, used = time.monotonic(), time.process_time()
        list(threads.map(fetch, minutes))
        measured = {"wall": time.monotonic() - began, "cpu": time.process_time() - used}
    print(json.dumps({**measured, "idle": idle, "peak": _memory("VmHWM")}))  # noqa: T201


def _memory(field: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:", 1)[1].split(None, 1)[0]) / 1024


def _ours(source: str, storage: str, bucket: str) -> Fetch:
    downloader = Downloader(
        source=VirusTotal(api_url=f"{source}/api/v3", key=FixedKey(SecretStr("key"))),
        bucket=StorageBucket(bucket, storage_client("bench", storage)),
        publisher=MemoryPublisher(),
        unpack=Unpacker(),
        feeds=[known_feeds()["domains"]],
        now=lambda: datetime.now(UTC),
        deadline=_DEADLINE,
    )

    def fetch(minute: str) -> None:
        when = datetime.strptime(minute, "%Y%m%d%H%M").replace(tzinfo=UTC)
        downloader.handle(MinuteRequested(feed="domains", minute=when))

    return fetch


def _predecessor(source: str, storage: str, bucket: str) -> Fetch:
    """Return the loop of the script that this project replaces: one decompressor, chunks of 8 kB, no compression."""
    blobs = storage_client("bench", storage).bucket(bucket)  # type: ignore[no-untyped-call]

    def fetch(minute: str) -> None:
        decoder = BZ2Decompressor()
        with (
            requests.get(f"{source}/api/v3/feeds/domains/{minute}", stream=True, timeout=60) as answer,
            blobs.blob(f"{minute}.ndjson").open("wb") as target,
        ):
            for chunk in answer.iter_content(8192):
                target.write(decoder.decompress(chunk))

    return fetch


def _whole(source: str, _storage: str, _bucket: str) -> Fetch:
    """Return a client that holds a whole package in memory."""

    def fetch(minute: str) -> None:
        body = requests.get(f"{source}/api/v3/feeds/domains/{minute}", timeout=60).content
        for line in bz2.decompress(body).splitlines():
            json.loads(line)

    return fetch


_CONTENDERS: dict[str, Callable[[str, str, str], Fetch]] = {
    "gti-mesh": _ours,
    "predecessor": _predecessor,
    "whole batch": _whole,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
