"""Three ways to bring notifications into SecOps, each in its own processes.

Run as `python -m benchmarks.stream_contenders NAME VIRUSTOTAL SECOPS FOLDER`. Prints one line of JSON: seconds, the
seconds of deliberate sleep, and the memory of the largest process in MiB.
"""

import base64
import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from pydantic import SecretStr

from infra.local.virustotal.simulator import DEFAULT_KEY
from services.secops_forwarder.folder_bucket import FolderBucket
from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.importer.client import Instance, SecOps, anonymous_session
from services.secops_forwarder.importer.delivering import Deliveries
from services.secops_forwarder.importer.page_importer import Importer
from services.secops_forwarder.importer.request import Form
from services.secops_forwarder.poll.poller import Poller
from shared.contracts.interfaces import Outgoing
from shared.contracts.messages import IocPageLanded, Message
from shared.contracts.minutes import utc_now
from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.list_reader import ListReader
from tests.support.streams import STREAM

_LIMITS = Limits(bytes=3_900_000, logs=1000)
# Instances of the importer; Cloud Run starts up to five.
_IMPORTERS = 2
# What the predecessor allows itself by default.
_PREDECESSOR_BYTES = 3_200_000

Log = dict[str, Any]


class _Publisher:
    """The role of Pub/Sub: passes pages from one process to another."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def publish(self, *messages: Message | Outgoing) -> int:
        """Pass messages on."""
        for message in messages:
            self._queue.put(message.body)
        return len(messages)


def _import(secops: str, folder: str, queue: Any, peaks_queue: Any) -> None:
    """Deliver pages until there are no more."""
    bucket = FolderBucket(Path(folder))
    deliveries = Deliveries(
        secops=SecOps(_instance(secops), anonymous_session),
        bucket=bucket,
        publisher=_Publisher(peaks_queue),
        form=Form(),
        limits=_LIMITS,
        now=utc_now,
    )
    importer = Importer(bucket=bucket, deliveries=deliveries, streams=[STREAM], now=utc_now)
    for body in iter(queue.get, None):
        importer.handle(IocPageLanded.model_validate_json(body))
    peaks_queue.put(_peak())


def mesh(virustotal: str, secops: str, folder: str) -> tuple[float, float]:
    """Poll in this process and import in others, as the two services do."""
    queue: Any = Queue()
    peaks_queue: Any = Queue()
    importers = [Process(target=_import, args=(secops, folder, queue, peaks_queue)) for _ in range(_IMPORTERS)]
    for importer in importers:
        importer.start()
    api = VirusTotal(api_url=f"{virustotal}/api/v3", key=FixedKey(SecretStr(DEFAULT_KEY)))
    poller = Poller(
        source=ListReader(api),
        bucket=FolderBucket(Path(folder)),
        publisher=_Publisher(queue),
        form=Form(),
        limits=_LIMITS,
        now=utc_now,
        deadline=timedelta(hours=1),
        page_size=40,
    )
    poller.poll(STREAM)
    for _ in importers:
        queue.put(None)
    peaks = [peaks_queue.get() for _ in importers]
    for importer in importers:
        importer.join()
    return 0.0, max(peaks)


def forty(virustotal: str, secops: str, folder: str) -> tuple[float, float]:
    """Send each page of 40 as one request, one after another."""
    del folder
    client = SecOps(_instance(secops), anonymous_session)
    for items in source_pages(virustotal):
        client.import_logs(STREAM.log_type, json.dumps(_payload([_log(_cleaned(item)) for item in items])).encode())
    return 0.0, 0.0


def predecessor(virustotal: str, secops: str, folder: str) -> tuple[float, float]:
    """Collect and clean everything, split it by each entry's JSON size, and send it, without the original's sleeps."""
    del folder
    pages = list(source_pages(virustotal))
    items = [_cleaned(item) for page in pages for item in page]
    chunks = list(_predecessor_chunks(items))
    for chunk in chunks:
        payload = _payload(chunk)
        len(json.dumps(payload))
        requests.post(_instance(secops).url(STREAM.log_type), json=payload, timeout=60).raise_for_status()
    return 0.5 * (len(pages) - 1) + 1.0 * (len(chunks) - 1), 0.0


def _predecessor_chunks(items: list[Any]) -> Iterator[list[Log]]:
    chunk: list[Log] = []
    size = 0
    for item in items:
        log = _log(item)
        length = len(json.dumps(log).encode()) + 1
        if chunk and size + length > _PREDECESSOR_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(log)
        size += length
    yield chunk


def source_pages(virustotal: str) -> Iterator[list[Any]]:
    """Yield the items of each page of the last day, the newest first."""
    begin = f"{utc_now() - timedelta(days=1):%Y-%m-%dT%H:%M:%S}+"
    first = f"{virustotal}/api/v3/ioc_stream?filter={quote(f'date:{begin}')}&order=date-&limit=40"
    url: str | None = first
    while url:
        answer = requests.get(url, headers={"x-apikey": DEFAULT_KEY}, timeout=60).json()
        yield answer["data"]
        cursor = answer["meta"].get("cursor")
        url = f"{first}&cursor={quote(cursor)}" if cursor else None


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        inner = {name: _cleaned(value[name]) for name in sorted(value)}
        return {name: one for name, one in inner.items() if one is not None and one not in ("", [], {})}
    if isinstance(value, list):
        return [one for one in (_cleaned(one) for one in value) if one is not None and one not in ("", [], {})]
    return value


def _log(item: Any) -> Log:
    happened = datetime.fromtimestamp(item["context_attributes"]["notification_date"], UTC)
    return {
        "data": base64.b64encode(json.dumps(item).encode()).decode(),
        "environment_namespace": "",
        "labels": {"use_case_name": {"value": "gti_ioc_stream"}},
        # The predecessor sends no times; the documented shape, which the simulator checks, asks for both.
        "log_entry_time": happened.isoformat(),
        "collection_time": utc_now().isoformat(),
    }


def _payload(logs: list[Log]) -> dict[str, object]:
    return {"inline_source": {"logs": logs, "forwarder": _instance("").forwarder("f")}}


def _instance(host: str) -> Instance:
    return Instance(host, "v1beta", "p", "us", "0a1b")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


CONTENDERS: dict[str, Callable[[str, str, str], tuple[float, float]]] = {
    "gti-mesh": mesh,
    "40 a request": forty,
    "predecessor": predecessor,
}

if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    began = time.perf_counter()
    slept, other_peak = CONTENDERS[sys.argv[1]](*sys.argv[2:])
    seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({"seconds": seconds, "slept": slept, "peak": max(_peak(), other_peak)}) + "\n")
