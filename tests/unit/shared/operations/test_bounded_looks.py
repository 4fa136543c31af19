"""The cost of the status does not grow with the ledger, the log of pages, or the problems of a bad week."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson

from services.status_page.shape import shape
from shared.contracts.minutes import ONE_MINUTE, last_due, minutes_between, oldest_served
from shared.contracts.outcomes import Retryable
from shared.feeds.definition import find_feed
from shared.operations.coverage import Cell, Coverage, read_coverages
from shared.operations.feed_status import feed_status
from shared.operations.mesh import Mesh
from shared.operations.open_dead_letters import DeadLetterReader, DeadLetterRecord
from shared.operations.status import MeshStatus, StatusReader
from shared.operations.stream_log import MAX_PAGES
from shared.operations.subscriptions import SubscriptionStatus
from shared.runtime.settings import MeshSettings
from shared.streams.delivery_progress import Delivery, delivery_name
from shared.streams.page_log import page_name
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket, reads
from tests.unit.shared.operations.test_stream_status import CountingHarness

FEEDS = ("domains", "files", "urls", "ip_addresses", "file_behaviours")
EVENTS_A_MINUTE = 3 * len(FEEDS)


class Ledger:
    """A warehouse without rows, which counts the rows in the partitions that queries may read."""

    def __init__(self, rows: int) -> None:
        self._oldest = NOON - rows // EVENTS_A_MINUTE * ONE_MINUTE
        self.scanned = 0
        self._rows: list[object] = []

    def query(self, sql: str, job_config: Any, **_: Any) -> "Ledger":
        """Count the rows by the conditions on `minute` in each query of the ledger."""
        bounds = {one.name: one.value for one in job_config.query_parameters}
        for look in sql.split(".minutes`")[1:]:
            condition = look.partition("FROM")[0]
            if "minute IS NULL" not in condition:
                begin = bounds["first_minute"] if "minute >= @first_minute" in condition else self._oldest
                self.scanned += self._rows_since(begin)
        self._rows = [{"base_rows": 0, "recent_rows": 0, "generation": NOON}] if "_base`" in sql else []
        return self

    def result(self, **_: Any) -> Iterator[object]:
        """Return no row of the ledger."""
        return iter(self._rows)

    def _rows_since(self, begin: datetime) -> int:
        day = max(begin, self._oldest).replace(hour=0, minute=0)
        return int((NOON - day) / ONE_MINUTE) * EVENTS_A_MINUTE


def scanned(rows: int) -> list[int]:
    """Return how many rows of a ledger the first status and those of the next hour may read."""
    ledger = Ledger(rows)
    mesh = Mesh(MeshSettings(GCP_PROJECT="p", LANDING_BUCKET="landing"))
    vars(mesh).update(bucket=MemoryBucket(), warehouse=ledger)
    letters = DeadLetterReader(mesh)
    found = []
    for minutes in (0, 1, 59):
        before = ledger.scanned
        now = NOON + timedelta(minutes=minutes)
        read_coverages(mesh, [find_feed(name) for name in FEEDS], now)
        letters.read(now)
        found.append(ledger.scanned - before)
    return found


def test_a_look_reads_no_more_of_an_old_ledger_than_of_a_young_one() -> None:
    """Each reads the partitions of seven days, and once an hour those of Pub/Sub's retention, at any ledger's age."""
    young, old, older = scanned(160_000), scanned(2_000_000), scanned(20_000_000)
    assert young[1:] == old[1:] == older[1:]
    assert old == older
    assert old[1] <= 4 * 8 * 1440 * EVENTS_A_MINUTE
    assert old[0] <= (8 + 3 * 39) * 1440 * EVENTS_A_MINUTE


def bad_week() -> tuple[list[Coverage], list[DeadLetterRecord]]:
    """Return five feeds in which every third minute is dead, with a letter each whose reason names the minute."""
    coverages, letters = [], []
    for feed in FEEDS:
        cells = []
        for number, minute in enumerate(minutes_between(oldest_served(NOON), last_due(NOON))):
            at, reason = minute + timedelta(minutes=62), f"package {minute:%Y%m%d%H%M}: VirusTotal answered 400"
            if number % 3:
                job = f"gti-mesh-{feed}-{minute:%Y%m%d%H%M}-0af76519-1"
                cells.append(Cell(minute, "merged", at, 4861, 0, 10**8, job_id=job))
                continue
            cells.append(Cell(minute, "dead", at, reason=reason, attempts=1, error_type="request_refused"))
            letters.append(DeadLetterRecord(f"1725{number}", feed, minute, reason, 1, "downloader", at, "dead"))
        coverages.append(Coverage(feed, tuple(cells), last_due(NOON), oldest_served(NOON)))
    return coverages, letters


def test_the_data_of_a_bad_week_stay_small() -> None:
    """With a third of 50,000 minutes dead, the data stay under 2 MB, with one problem and one card per feed."""
    coverages, letters = bad_week()
    status = MeshStatus(NOON, [feed_status(coverage, NOON) for coverage in coverages], (), letters)
    data = orjson.dumps(shape(status, coverages, seconds=10))
    assert len(letters) > 16_000
    assert len(data) < 2_000_000
    assert len([problem for problem in status.problems() if "--gaps" in problem]) == len(FEEDS)
    assert [len(feed["gaps"]) for feed in orjson.loads(data)["feeds"]] == [1] * len(FEEDS)


def test_one_stuck_page_of_two_thousand_is_all_that_is_read_again() -> None:
    """A stuck page is read again while its delivery changes; otherwise only the stream's small objects are read."""
    harness = CountingHarness()
    harness.log_pages(1)
    page = harness.bucket.read(page_name("ioc_stream", 1))
    assert page
    done = Delivery(items=2, done=2, accepted=2).model_dump_json().encode()
    for sequence in range(2, MAX_PAGES + 1):
        harness.bucket.create(page_name("ioc_stream", sequence), page.data)
        harness.bucket.create(delivery_name(page_name("ioc_stream", sequence)), done)
    assert harness.status().pages == {"waiting": 1, "delivered": MAX_PAGES - 1}
    names = reads(harness.bucket)
    assert harness.status().pages == {"waiting": 1, "delivered": MAX_PAGES - 1}
    assert len(names) < 10


def test_without_cloud_monitoring_the_rest_of_the_status_is_there() -> None:
    """Cloud Monitoring's failure is one problem, and the rest of the status is complete."""
    mesh = Mesh(MeshSettings(GCP_PROJECT="p", LANDING_BUCKET="landing", FEEDS="domains"))
    vars(mesh).update(bucket=MemoryBucket(), warehouse=Ledger(0))

    def away(_: Mesh) -> list[SubscriptionStatus]:
        raise Retryable("Cloud Monitoring: 503")

    status = StatusReader(mesh, away).read(read_coverages(mesh, [find_feed("domains")], NOON), NOON)
    assert status.problems() == ["Cloud Monitoring: 503", "domains: the planner has never run; gti-mesh plan"]
    assert (list(status.subscriptions), [feed.feed for feed in status.feeds]) == ([], ["domains"])
