"""The clients that are measured, each in its own process that is warm before timing starts.

Run as `python -m benchmarks.contenders NAME SOURCE STORAGE BUCKET PROCESSORS MINUTE...`; the first minute is the
warm-up. Prints one line of JSON: wall and processor seconds, and MiB of memory when idle and at the peak.
"""

import bz2
import json
import os
import shutil
import sys
import time
from bz2 import BZ2Decompressor
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import functions_framework  # noqa: F401 - what the serving process has loaded counts as its idle state
import requests
from pydantic import SecretStr

from services.downloader.bzip2.unpacker import Unpacker
from services.downloader.download import Downloader
from services.downloader.spool import Spools
from shared.contracts.messages import MinuteRequested
from shared.feeds.definition import known_feeds
from shared.gcp.storage import StorageBucket, storage_client
from shared.virustotal.client import FixedKey, VirusTotal
from tests.support.doubles import Lists
from tests.support.memory import MemoryPublisher
from tests.support.resident import resident_mebibytes

Fetch = Callable[[str], None]

_DEADLINE = timedelta(minutes=8)
_LOOK_SECONDS = 0.2


def main(name: str, source: str, storage: str, bucket: str, processors: str, warm: str, *minutes: str) -> None:
    """Fetch the minutes concurrently, and print the measurements."""
    os.sched_setaffinity(0, {int(number) for number in processors.split(",")})
    fetch = _CONTENDERS[name](source, storage, bucket)
    fetch(warm)
    with ThreadPoolExecutor(len(minutes)) as threads:
        idle = resident_mebibytes("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        decoders = _Decoders()
        decoders.start()
        began, used = time.monotonic(), _processor_seconds()
        list(threads.map(fetch, minutes))
        measured = {"wall": time.monotonic() - began, "cpu": _processor_seconds() - used}
    peak = resident_mebibytes("VmHWM") + decoders.end()
    print(json.dumps({**measured, "idle": idle, "peak": peak}))  # noqa: T201


def _processor_seconds() -> float:
    """Return the processor time of this process and of the decoders that it ran."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class _Decoders(Thread):
    """Watches the memory of the decoders that this process runs; getrusage would include their forking parent."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self._ended = Event()

    def run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self.peak = max(self.peak, sum(resident_mebibytes("VmHWM", pid) for pid in _started_by_any_thread()))

    def end(self) -> float:
        """Stop, and return the maximum in MiB."""
        self._ended.set()
        self.join()
        return self.peak


def _started_by_any_thread() -> list[str]:
    return [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def _ours(source: str, storage: str, bucket: str, lbzip2: str | None = None) -> Fetch:
    downloader = Downloader(
        source=VirusTotal(api_url=f"{source}/api/v3", key=FixedKey(SecretStr("key"))),
        lists=Lists(),
        bucket=StorageBucket(bucket, storage_client("bench", storage)),
        publisher=MemoryPublisher(),
        spools=Spools(2**28),
        unpack=Unpacker(lbzip2=lbzip2),
        feeds=[known_feeds()["domains"]],
        now=lambda: datetime.now(UTC),
        deadline=_DEADLINE,
    )

    def fetch(minute: str) -> None:
        when = datetime.strptime(minute, "%Y%m%d%H%M").replace(tzinfo=UTC)
        downloader.handle(MinuteRequested(feed="domains", minute=when))

    return fetch


def _with_lbzip2(source: str, storage: str, bucket: str) -> Fetch:
    """Return our downloader as it runs with lbzip2 installed."""
    return _ours(source, storage, bucket, shutil.which("lbzip2"))


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
    """Return a client that keeps a whole package in memory."""

    def fetch(minute: str) -> None:
        body = requests.get(f"{source}/api/v3/feeds/domains/{minute}", timeout=60).content
        for line in bz2.decompress(body).splitlines():
            json.loads(line)

    return fetch


_CONTENDERS: dict[str, Callable[[str, str, str], Fetch]] = {
    "gti-mesh": _with_lbzip2,
    "gti-mesh without lbzip2": _ours,
    "predecessor": _predecessor,
    "whole batch": _whole,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
