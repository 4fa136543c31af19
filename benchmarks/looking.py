"""`make bench-status`: a reading of the status page in a bad week: its time, its size, and the data read.

Five feeds of 10,080 minutes, a third of them dead with a letter each, and a stream of 2,000 pages whose first one is
stuck. First the ledger is that of a week, then of as many weeks as 2 million rows need.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from infra.local.mesh import LocalMesh
from infra.topology import Topology
from services.status_page.shape import shape
from shared.contracts.minutes import HORIZON, ONE_MINUTE, last_due, oldest_served, utc_now
from shared.operations.coverage import read_coverages
from shared.operations.mesh import Mesh
from shared.operations.planner_state import PlanState
from shared.operations.status import StatusReader
from shared.runtime.json_bytes import write_json
from shared.runtime.settings import MeshSettings
from shared.streams.delivery_progress import Delivery, delivery_name
from shared.streams.page_log import PageHead, Published, page_name, write_page
from tests.support.warehouse import Warehouse, provisioned

FEEDS = ("domains", "files", "urls", "ip_addresses", "file_behaviours")
PAGES = 2_000
ROWS = (150_000, 2_000_000)
MAX_SECONDS, MAX_BYTES = 2.0, 2_000_000
MAX_GROWTH = 1.25


_CAME = {"lines": "60", "rejected": "0", "job_id": "'gti-mesh-0af76519-1'"}
_DIED = {
    "reason": "CONCAT('package ', FORMAT_TIMESTAMP('%Y%m%d%H%M', minute), ': VirusTotal answered 400')",
    "source": "'downloader'",
    "attempts": "1",
    "message_id": "CAST(number AS STRING)",
    "error_type": "'request_refused'",
}


def fill_ledger(warehouse: Warehouse, now: datetime) -> None:
    """Let two thirds of a week's minutes be merged and one third dead."""
    first = oldest_served(now)
    minutes = int((last_due(now) - first) / ONE_MINUTE) + 1
    for feed in FEEDS:
        for event in ("landed", "loaded", "merged"):
            _insert(warehouse, feed, event, first, minutes, _CAME, "MOD(number, 3) <> 0")
        _insert(warehouse, feed, "dead", first, minutes, _DIED, "MOD(number, 3) = 0")


def age_ledger(warehouse: Warehouse, now: datetime, rows: int) -> None:
    """Add earlier weeks, all merged, until the ledger has this many rows."""
    week = HORIZON // ONE_MINUTE
    [known] = warehouse.run(f"SELECT COUNT(*) AS n FROM {warehouse.dataset}.minutes")  # noqa: S608
    weeks = (rows - known["n"]) // (3 * week * len(FEEDS))
    for feed in FEEDS if weeks > 0 else ():
        for event in ("landed", "loaded", "merged"):
            _insert(warehouse, feed, event, oldest_served(now) - weeks * HORIZON, weeks * week, _CAME, "TRUE")


def _insert(
    warehouse: Warehouse,
    feed: str,
    event: str,
    first: datetime,
    minutes: int,
    facts: Mapping[str, str],
    which: str,
) -> None:
    """Insert an event of each of some minutes, as the loader and the merger write it."""
    columns = {"feed": f"'{feed}'", "minute": "minute", "event": f"'{event}'", **facts}
    columns["at"] = "TIMESTAMP_ADD(minute, INTERVAL 62 MINUTE)"
    minute = f"TIMESTAMP_ADD(TIMESTAMP '{first:%Y-%m-%d %H:%M:%S}+00', INTERVAL number MINUTE)"
    warehouse.run(
        f"INSERT INTO {warehouse.dataset}.minutes ({', '.join(f'`{name}`' for name in columns)}) "  # noqa: S608
        f"SELECT {', '.join(columns.values())} "
        f"FROM (SELECT number, {minute} AS minute FROM UNNEST(GENERATE_ARRAY(0, {minutes - 1})) AS number) AS m "
        f"WHERE {which}",
        seconds=600,
    )


def fill_stream(warehouse: Warehouse, now: datetime) -> None:
    """Write a log of pages, of which all but the first are delivered."""
    moment = now - timedelta(days=6)
    done = Delivery(items=1, done=1, accepted=1, requests=1).model_dump_json().encode()
    bucket = warehouse.bucket
    for number in range(1, PAGES + 1):
        head = PageHead(
            stream="ioc_stream", sequence=number, signature="s", filter="f", cursor=None, began=moment, since=moment,
            watermark=moment, first_date=moment, last_date=moment, landed_at=moment, seen={},
        )  # fmt: skip
        name = page_name("ioc_stream", number)
        bucket.create(name, write_page(head, [b"{}"]))
        bucket.create(delivery_name(name), done if number > 1 else Delivery(items=1).model_dump_json().encode())
    hint = Published(published=PAGES, pass_began=now)
    bucket.create("state/streams/ioc_stream.json", hint.model_dump_json().encode())


def measured(read: Callable[[datetime], bytes], times: int = 3) -> tuple[float, float, int]:
    """Return the median time of some readings, that of this process's processor alone, and the size of the last."""
    took = []
    for _ in range(times):
        began, worked = time.monotonic(), time.process_time()
        size = len(read(utc_now()))
        took.append((time.monotonic() - began, time.process_time() - worked))
    return (*sorted(took)[times // 2], size)


def main() -> int:
    """Measure, print, and return whether the criteria are met."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, nargs="*", default=ROWS, help="rows of the ledgers measured")
    options = arguments.parse_args()
    nothing = Topology(services={}, topics={}, subscriptions={}, schedules={})
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalMesh(state=Path(folder) / "state", topology=nothing, schedules=False) as running,
        provisioned(running.endpoints) as warehouse,
    ):
        return _measure(warehouse, options.rows)


def _measure(warehouse: Warehouse, ledgers: Sequence[int]) -> int:
    now = utc_now()
    fill_ledger(warehouse, now)
    fill_stream(warehouse, now)
    for feed in FEEDS:
        plan = PlanState(first=oldest_served(now), watermark=last_due(now))
        warehouse.bucket.create(f"state/planner/{feed}.json", plan.model_dump_json().encode())
    settings = {**warehouse.endpoints.environment(), "BQ_DATASET": warehouse.dataset, "FEEDS": FEEDS}
    mesh = Mesh(MeshSettings.model_validate(settings))
    found = []
    for rows in ledgers:
        age_ledger(warehouse, now, rows)
        status = StatusReader(mesh)

        def read(moment: datetime, status: StatusReader = status) -> bytes:
            coverages = read_coverages(mesh, mesh.settings.feed_definitions(), moment)
            return write_json(shape(status.read(coverages, moment), coverages, seconds=10))

        first, _, _ = measured(read, times=1)
        took, worked, size = measured(read)
        found.append((took, size))
        sys.stdout.write(
            f"{rows:>9,} rows: first {first:.2f} s, then {took:.2f} s (processor {worked:.2f} s), {size / 1e6:.2f} MB\n"
        )
    held = all(took < MAX_SECONDS and size < MAX_BYTES for took, size in found)
    steady = found[-1][0] <= MAX_GROWTH * found[0][0]
    sys.stdout.write(
        f"under {MAX_SECONDS:g} s and {MAX_BYTES / 1e6:g} MB: {held}; as fast in an old ledger: {steady}\n"
    )
    return 0 if held and steady else 1


if __name__ == "__main__":
    sys.exit(main())
