"""The loader brings each landed minute in and keeps its accounts, whatever happened before."""

import json
from datetime import datetime, timedelta

import pytest

from services.loader.attempts import Attempts, job_id
from services.loader.load import Loader
from shared.feeds.definition import find_feed
from shared.memory import MemoryBucket, MemoryLedger
from shared.messages import MinuteAbsent, MinuteLanded
from shared.minutes import manifest_name
from shared.outcomes import Poison, Retryable
from shared.ports import LedgerRow
from shared.warehouse.staging import LoadEnd
from tests.doubles import NOON, Clock
from tests.landed import Object, domain, land
from tests.staging import MemoryStaging

DOMAINS = find_feed("domains")
MINUTE = NOON - timedelta(minutes=70)


class House:
    """A loader with everything around it in memory."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.staging = MemoryStaging(self.bucket)
        self.ledger = MemoryLedger()
        self.clock = Clock()
        self.loader = Loader(
            bucket=self.bucket,
            attempts=Attempts(staging=self.staging, bucket=self.bucket, now=self.clock, deadline=timedelta(minutes=8)),
            ledger=self.ledger,
            feeds=(DOMAINS,),
            now=self.clock,
        )

    def land(self, *lines: Object | None, minute: datetime = MINUTE) -> MinuteLanded:
        """Land a minute, without telling the loader."""
        return land(self.bucket, DOMAINS, minute, lines)

    def last(self, event: str) -> LedgerRow:
        """Return the newest row of an event."""
        return [row for row in self.ledger.rows if row.event == event][-1]

    @property
    def events(self) -> list[str]:
        """The ledger's events, in order."""
        return [row.event for row in self.ledger.rows]

    @property
    def loaded_ids(self) -> list[str]:
        """The ids in staging, in order."""
        return [row["id"] for _, row in self.staging.rows]


@pytest.fixture
def house() -> House:
    """Return a loader that has seen nothing."""
    return House()


def test_a_landed_minute_is_loaded_and_accounted_for(house: House) -> None:
    """Its good lines are in staging; the ledger has it landed when it landed, and loaded now, with the job."""
    landed = house.land(domain("a"), None, domain("b"))
    house.loader.handle(landed)
    assert house.loaded_ids == ["a", "b"]
    assert house.ledger.rows == [
        LedgerRow(
            "landed", landed.landed_at, "domains", MINUTE, lines=3, rejected=1, bytes=landed.bytes, uri=landed.uri
        ),
        LedgerRow(
            "loaded",
            NOON,
            "domains",
            MINUTE,
            lines=3,
            rejected=1,
            bytes=landed.bytes,
            uri=landed.uri,
            job_id=f"gti-mesh-domains-202611211050-{landed.crc32c}-1",
        ),
    ]


def test_a_second_delivery_loads_nothing_twice(house: House) -> None:
    """Its job id is taken, the job is done, the rows are there."""
    landed = house.land(domain("a"))
    house.loader.handle(landed)
    house.loader.handle(landed)
    assert house.loaded_ids == ["a"]
    assert house.last("loaded").job_id == job_id(landed, 1)


def test_a_ledger_that_forgot_a_merged_minute_is_told_again(house: House) -> None:
    """Restored from yesterday, it learns from a replay that all lines are in history: no merge would tell it."""
    landed = house.land(domain("a"), domain("b"))
    house.loader.handle(landed)
    house.staging.merged.add(landed.minute)
    house.ledger.rows.clear()
    house.loader.handle(landed)
    assert house.loaded_ids == ["a", "b"]
    assert (house.last("merged").rows, house.last("merged").lines) == (2, 2)


def test_a_delivery_waits_for_the_job_of_the_one_before(house: House) -> None:
    """A job that runs on is a reason to come again, and then its result counts."""
    landed = house.land(domain("a"))
    house.staging.running.add(job_id(landed, 1))
    with pytest.raises(Retryable, match="runs on after 480 s"):
        house.loader.handle(landed)
    house.staging.running.clear()
    house.loader.handle(landed)
    assert house.loaded_ids == ["a"]


def test_the_deadline_is_for_all_attempts_together(house: House) -> None:
    """Time that an earlier attempt took is not there for the next one."""
    landed = house.land(domain("a"))
    house.staging.jobs[job_id(landed, 1)] = LoadEnd("failed", "backend error")
    house.staging.running.add(job_id(landed, 2))
    house.staging.at_begin = lambda: house.clock.advance(minutes=3)
    with pytest.raises(Retryable, match="runs on after 300 s"):
        house.loader.handle(landed)


def test_a_failed_job_burns_its_id(house: House) -> None:
    """The delivery fails, and the next one goes on with the next id."""
    landed = house.land(domain("a"))
    house.staging.faults = [LoadEnd("failed", "backend error")] * 2
    for _ in range(2):
        with pytest.raises(Retryable, match="failed: backend error"):
            house.loader.handle(landed)
    house.loader.handle(landed)
    assert house.last("loaded").job_id == job_id(landed, 3)
    assert house.loaded_ids == ["a"]


def test_rows_that_vanished_are_loaded_again(house: House) -> None:
    """A job that was done does not count once a table was restored to a time before it."""
    landed = house.land(domain("a"), domain("b"))
    house.loader.handle(landed)
    house.staging.rows.clear()
    house.loader.handle(landed)
    assert house.loaded_ids == ["a", "b"]
    assert house.last("loaded").job_id == job_id(landed, 2)


def test_other_content_of_the_same_minute_is_another_job(house: House) -> None:
    """What was learnt of the first content says nothing about the second."""
    house.loader.handle(house.land(domain("a")))
    house.loader.handle(house.land(domain("b")))
    assert house.loaded_ids == ["a", "b"]


def test_lines_that_bigquery_refuses_become_rejects(house: House) -> None:
    """The others are loaded, and the accounts balance: lines = rows + rejected."""
    landed = house.land(*[domain(f"host-{number}") for number in range(40)], None)
    house.staging.faulty_ids = {"host-7"}
    house.loader.handle(landed)
    loaded = house.last("loaded")
    assert (loaded.lines, loaded.rejected, loaded.job_id) == (41, 2, job_id(landed, 2))
    assert len(house.staging.rows) == 39
    stem = landed.uri.removeprefix(house.bucket.uri("")).removesuffix(".ndjson.gz")
    rejects = house.bucket.read(f"{stem}.load-rejects.ndjson")
    assert rejects
    reject = json.loads(rejects.data)
    assert reject["feed_line"] == 8
    assert reject["reason"] == "JSON table encountered too many errors"
    assert json.loads(reject["line"])["object"]["id"] == "host-7"


def test_a_crash_after_a_lenient_load_changes_no_account(house: House) -> None:
    """The next delivery walks past the refused job, meets the lenient one, and counts the same lines."""
    landed = house.land(domain("a"), domain("b"))
    house.staging.faulty_ids = {"b"}
    house.loader.handle(landed)
    first = house.last("loaded")
    house.loader.handle(landed)
    assert house.last("loaded") == first
    assert house.loaded_ids == ["a"]


def test_a_package_that_is_mostly_refused_is_not_loaded(house: House) -> None:
    """More than a tenth of at least twenty lines: the shape changed, and nothing of it may pass for the minute."""
    landed = house.land(*[domain(f"host-{number}") for number in range(20)])
    house.staging.faulty_ids = {"host-0", "host-1", "host-2"}
    for _ in range(2):
        with pytest.raises(Retryable, match="refused"):
            house.loader.handle(landed)
    assert not house.staging.rows
    assert house.events == ["landed", "landed"]


def test_a_minute_whose_every_line_is_refused_is_merged_at_once(house: House) -> None:
    """The merger would never meet it."""
    landed = house.land(domain("a"))
    house.staging.faulty_ids = {"a"}
    house.loader.handle(landed)
    assert house.events == ["landed", "loaded", "merged"]
    merged = house.last("merged")
    assert (merged.lines, merged.rejected, merged.rows) == (1, 1, 0)


@pytest.mark.parametrize("lines", [[], [None, None]])
def test_a_minute_without_a_good_line_needs_no_job(house: House, lines: list[None]) -> None:
    """Empty, or all of it rejected before: loaded and merged at once."""
    house.loader.handle(house.land(*lines))
    assert house.events == ["landed", "loaded", "merged"]
    assert house.last("merged").rows == 0
    assert not house.staging.jobs


def test_an_object_that_is_gone_is_poison(house: House) -> None:
    """No repetition brings it back; the reason says what would."""
    landed = house.land(domain("a"))
    house.bucket.objects.clear()
    with pytest.raises(Poison, match=r"not there any more; delete gs:.*\.json and replay the minute"):
        house.loader.handle(landed)


@pytest.mark.parametrize(
    "uri",
    [
        "gs://elsewhere/domains/2026/11/21/1050-x.ndjson.gz",
        "gs://landing/files/2026/11/21/1050-x.ndjson.gz",
        "gs://landing/domains/2026/11/21/1051-x.ndjson.gz",
        "gs://landing/domains/2026/11/21/1050-*.ndjson.gz",
        "gs://landing/domains/2026/11/21/1050-x/y.ndjson.gz",
        "gs://landing/domains/2026/11/21/1050-x.ndjson",
        "/etc/passwd",
    ],
)
def test_an_address_that_is_not_the_minutes_own_is_poison(house: House, uri: str) -> None:
    """Whoever can publish cannot have other data loaded in this minute's name."""
    landed = house.land(domain("a")).model_copy(update={"uri": uri})
    with pytest.raises(Poison, match=r"no landed object of domains 2026-11-21T10:50:00Z"):
        house.loader.handle(landed)
    assert not house.ledger.rows


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"feed": "urls"}, "feed 'urls' is not switched on"),
        ({"minute": NOON + timedelta(minutes=1)}, "lies in the future"),
        ({"minute": NOON - timedelta(days=3000)}, "years back"),
        ({"rejected": 2}, "2 rejected lines of 1"),
    ],
)
def test_a_message_that_cannot_be_true_is_poison(house: House, change: dict[str, object], reason: str) -> None:
    """It is refused before anything is written."""
    landed = house.land(domain("a")).model_copy(update=change)
    with pytest.raises(Poison, match=reason):
        house.loader.handle(landed)
    assert not house.ledger.rows


def test_an_absent_minute_is_recorded(house: House) -> None:
    """At the time at which the source was asked."""
    house.loader.handle(MinuteAbsent(feed="domains", minute=MINUTE, checked_at=NOON))
    assert house.ledger.rows == [LedgerRow("absent", NOON, "domains", MINUTE)]


def test_a_minute_that_has_landed_is_not_absent(house: House) -> None:
    """Its manifest says so, or the ledger does."""
    absent = MinuteAbsent(feed="domains", minute=MINUTE, checked_at=NOON)
    house.bucket.create(manifest_name("domains", MINUTE), b"{}")
    house.loader.handle(absent)
    assert not house.ledger.rows
    house.bucket.objects.clear()
    house.loader.handle(house.land(domain("a")))
    before = list(house.ledger.rows)
    house.loader.handle(absent)
    assert house.ledger.rows == before
