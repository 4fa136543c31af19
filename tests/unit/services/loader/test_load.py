"""The loader loads each landed minute and records it, in any state of the warehouse."""

import json
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loader.attempts import Attempts, job_id
from services.loader.load import Loader
from services.loader.rate_limit import RateLimit
from services.loader.rejects import keep_rejects
from shared.contracts.interfaces import LedgerRow, Stored
from shared.contracts.messages import MinuteAbsent, MinuteLanded
from shared.contracts.minutes import manifest_name
from shared.contracts.outcomes import Misconfigured, Poison, Retryable
from shared.feeds.definition import find_feed
from shared.warehouse.staging import LoadEnd
from tests.support.doubles import NOON, Clock
from tests.support.landed import Object, domain, land
from tests.support.memory import MemoryBucket, MemoryLedger
from tests.support.staging import MemoryStaging

DOMAINS = find_feed("domains")
MINUTE = NOON - timedelta(minutes=70)


class LoaderHarness:
    """A loader with in-memory fakes."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.staging = MemoryStaging(self.bucket)
        self.ledger = MemoryLedger()
        self.clock = Clock()
        self.loader = Loader(
            bucket=self.bucket,
            attempts=Attempts(
                staging=self.staging,
                bucket=self.bucket,
                now=self.clock,
                deadline=timedelta(minutes=8),
                pace=RateLimit(1000, now=self.clock, pause=lambda _: None),
                pause=self.clock.pause,
            ),
            ledger=self.ledger,
            feeds=(DOMAINS,),
            staging=self.staging,
            now=self.clock,
        )

    def land(self, *lines: Object | None, minute: datetime = MINUTE) -> MinuteLanded:
        """Land a minute without delivering its message."""
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
def harness() -> LoaderHarness:
    """Return a new loader."""
    return LoaderHarness()


def test_a_landed_minute_is_loaded_and_accounted_for(harness: LoaderHarness) -> None:
    """The good lines are in staging; the ledger has the time of landing, and of loading with the job."""
    landed = harness.land(domain("a"), None, domain("b"))
    harness.loader.handle(landed)
    assert harness.loaded_ids == ["a", "b"]
    assert harness.ledger.rows == [
        LedgerRow(
            "landed",
            landed.landed_at,
            "domains",
            MINUTE,
            lines=3,
            rejected=1,
            bytes=landed.bytes,
            uri=landed.uri,
            crc32c=landed.crc32c,
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
            crc32c=landed.crc32c,
        ),
    ]


def test_a_second_delivery_loads_nothing_twice(harness: LoaderHarness) -> None:
    """The job id is used up, the job is done, and the rows exist."""
    landed = harness.land(domain("a"))
    harness.loader.handle(landed)
    harness.loader.handle(landed)
    assert harness.loaded_ids == ["a"]
    assert harness.last("loaded").job_id == job_id(landed, 1)


def test_a_ledger_that_forgot_a_merged_minute_is_told_again(harness: LoaderHarness) -> None:
    """After a restore, a replay records that all lines are in history, because no merge would record it."""
    landed = harness.land(domain("a"), domain("b"))
    harness.loader.handle(landed)
    harness.staging.merged.add(landed.minute)
    harness.ledger.rows.clear()
    harness.loader.handle(landed)
    assert harness.loaded_ids == ["a", "b"]
    assert (harness.last("merged").rows, harness.last("merged").lines) == (2, 2)


def test_a_delivery_waits_for_the_job_of_the_one_before(harness: LoaderHarness) -> None:
    """A running job raises Retryable; later its result counts."""
    landed = harness.land(domain("a"))
    harness.staging.running.add(job_id(landed, 1))
    with pytest.raises(Retryable, match="still runs after 480 s"):
        harness.loader.handle(landed)
    harness.staging.running.clear()
    harness.loader.handle(landed)
    assert harness.loaded_ids == ["a"]


def test_the_deadline_is_for_all_attempts_together(harness: LoaderHarness) -> None:
    """Time used by an earlier attempt is not available for the next one."""
    landed = harness.land(domain("a"))
    harness.staging.jobs[job_id(landed, 1)] = LoadEnd("failed", "backend error")
    harness.staging.running.add(job_id(landed, 2))
    harness.staging.at_begin = lambda: harness.clock.advance(minutes=3)
    with pytest.raises(Retryable, match="still runs after 300 s"):
        harness.loader.handle(landed)


def test_a_failed_job_burns_its_id(harness: LoaderHarness) -> None:
    """The delivery fails, and the next one continues with the next id."""
    landed = harness.land(domain("a"))
    harness.staging.faults = [LoadEnd("failed", "backend error")] * 2
    for _ in range(2):
        with pytest.raises(Retryable, match="failed: backend error"):
            harness.loader.handle(landed)
    harness.loader.handle(landed)
    assert harness.last("loaded").job_id == job_id(landed, 3)
    assert harness.loaded_ids == ["a"]


def test_the_hundredth_delivery_asks_no_more_than_the_third(harness: LoaderHarness) -> None:
    """The number of failed jobs is stored next to the landed object, so their ids are not queried one by one."""
    landed = harness.land(domain("a"))
    harness.staging.faults = [LoadEnd("failed", "backend error")] * 99
    calls = []
    for _ in range(99):
        before = harness.staging.calls
        with pytest.raises(Retryable):
            harness.loader.handle(landed)
        calls.append(harness.staging.calls - before)
    harness.loader.handle(landed)
    assert harness.last("loaded").job_id == job_id(landed, 100)
    assert calls[0] == 2
    assert set(calls[1:]) == {calls[2]}


def test_what_the_server_said_is_known_to_every_later_delivery(harness: LoaderHarness) -> None:
    """After a refusal and failed jobs, the successful delivery still skips the bad line."""
    landed = harness.land(*[domain(f"d{number}") for number in range(30)])
    harness.staging.faulty_ids = {"d7"}
    harness.staging.faults = [LoadEnd("refused", "bad line"), *[LoadEnd("failed", "backend error")] * 4]
    for _ in range(4):
        with pytest.raises(Retryable):
            harness.loader.handle(landed)
    harness.loader.handle(landed)
    assert harness.last("loaded").rejected == 1
    assert len(harness.loaded_ids) == 29


@pytest.mark.parametrize("spoilt", [b"", b"{", b'{"attempts": -1}'])
def test_a_spoilt_count_of_attempts_costs_calls_only(harness: LoaderHarness, spoilt: bytes) -> None:
    """Without the record ids are queried one by one."""
    landed = harness.land(domain("a"))
    harness.staging.faults = [LoadEnd("failed", "backend error")] * 3
    for _ in range(3):
        with pytest.raises(Retryable):
            harness.loader.handle(landed)
    for name in harness.bucket.names(""):
        if "load-attempt" in name:
            harness.bucket.delete(name)
            harness.bucket.create(name, spoilt)
    harness.loader.handle(landed)
    assert harness.last("loaded").job_id == job_id(landed, 4)


def test_a_rate_limit_is_waited_for(harness: LoaderHarness) -> None:
    """A job that was not started keeps its id; one that was started and limited is followed by the next."""
    landed = harness.land(domain("a"))
    harness.staging.limits = 3
    harness.staging.faults = [LoadEnd("limited", "Exceeded rate limits")] * 2
    harness.loader.handle(landed)
    assert harness.last("loaded").job_id == job_id(landed, 3)
    assert harness.clock() - NOON > timedelta(minutes=1)


def test_a_rate_limit_is_waited_for_no_longer_than_the_deadline(harness: LoaderHarness) -> None:
    """The push must get a response; Pub/Sub redelivers, and no id was used up."""
    landed = harness.land(domain("a"))
    harness.staging.limits = 10_000
    with pytest.raises(Retryable, match="Exceeded rate limits"):
        harness.loader.handle(landed)
    assert timedelta(minutes=6) < harness.clock() - NOON < timedelta(minutes=8)
    assert not harness.staging.jobs


def test_jobs_of_a_table_begin_one_after_the_other(harness: LoaderHarness) -> None:
    """The loader starts one job per second and table; tables have separate limits."""
    pace = RateLimit(1.0, now=harness.clock, pause=harness.clock.pause)
    late = NOON + timedelta(minutes=1)
    for _ in range(5):
        pace.wait("domains", late)
    assert harness.clock() == NOON + timedelta(seconds=4)
    pace.wait("urls", late)
    assert harness.clock() == NOON + timedelta(seconds=4)
    with pytest.raises(Retryable, match="wait for their turn"):
        pace.wait("domains", NOON)


@pytest.mark.parametrize(("days", "kept"), [(None, True), (10, True), (9, False)])
def test_a_minute_that_history_would_drop_is_refused(harness: LoaderHarness, days: int | None, kept: bool) -> None:
    """Its rows would expire as they are inserted, and the ledger would have it as merged."""
    harness.staging.history_expiry = days
    landed = harness.land(domain("a"), minute=NOON - timedelta(days=9))
    if kept:
        harness.loader.handle(landed)
        assert harness.events == ["landed", "loaded"]
    else:
        with pytest.raises(Poison, match=r"keeps a day for 9 days.*HISTORY_EXPIRY_DAYS"):
            harness.loader.handle(landed)
        assert not harness.events


def test_rows_that_vanished_are_loaded_again(harness: LoaderHarness) -> None:
    """A finished job does not count if a table was restored to an earlier time."""
    landed = harness.land(domain("a"), domain("b"))
    harness.loader.handle(landed)
    harness.staging.rows.clear()
    harness.loader.handle(landed)
    assert harness.loaded_ids == ["a", "b"]
    assert harness.last("loaded").job_id == job_id(landed, 2)


REPLACE = "gti-mesh replay domains 2026-11-21T10:50Z 2026-11-21T10:50Z --replace"


def test_other_content_of_the_same_minute_is_refused(harness: LoaderHarness) -> None:
    """Whether the first is loaded, merged or about to be: lines are known by their numbers, so the two would mix."""
    first = harness.land(domain("a"))
    harness.loader.handle(first)
    with pytest.raises(Poison, match=f"source changed: {first.uri} .* in place of the old ones: {REPLACE}") as refused:
        harness.loader.handle(harness.land(domain("b")))
    assert refused.value.error_type == "source_changed"
    assert harness.events == ["landed", "loaded"]
    harness.loader.handle(harness.land(domain("a")))
    assert set(harness.loaded_ids) == {"a"}


@pytest.mark.parametrize("column", ["crc32c", "job_id"])
def test_what_the_ledger_knows_of_the_content_counts_when_its_record_is_gone(
    harness: LoaderHarness, column: str
) -> None:
    """For a landing that comes late; a row of the first release has the content in the job's id."""
    known = {"crc32c": "0" * 8, "job_id": "gti-mesh-domains-202611211050-00000000-1"}
    harness.ledger.record([LedgerRow("merged", NOON, "domains", MINUTE, **{column: known[column]})])  # type: ignore[arg-type]
    late = land(harness.bucket, DOMAINS, MINUTE, [domain("a")], landed_at=MINUTE + timedelta(hours=3))
    with pytest.raises(Poison, match=f"source changed: an earlier landing with CRC32C 00000000 .*{REPLACE}"):
        harness.loader.handle(late)
    assert not harness.loaded_ids


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=8))
def test_contents_of_one_minute_never_mix(landings: list[tuple[str, bool]]) -> None:
    """Whatever lands in whatever order, and whatever else is deleted in between, one content is taken in."""
    harness = LoaderHarness()
    for name, manifest_gone in landings:
        landed = harness.land(domain(name), domain(f"{name}{name}"))
        with suppress(Poison):
            harness.loader.handle(landed)
        if manifest_gone:
            harness.bucket.delete(harness.bucket.name_of(landed.uri))
    taken = landings[0][0]
    assert set(harness.loaded_ids) == {taken, taken * 2}


@pytest.mark.parametrize("damage", [b"", b'{"crc32c":"x","uri":""}'])
def test_a_damaged_record_of_the_content_is_named(harness: LoaderHarness, damage: bytes) -> None:
    """Nothing is loaded without a valid record."""
    harness.bucket.create("state/content/domains/2026/11/21/1050.json", damage)
    with pytest.raises(
        Misconfigured, match=r"state/content/domains/2026/11/21/1050\.json cannot be read .*; delete it"
    ):
        harness.loader.handle(harness.land(domain("a")))
    assert not harness.loaded_ids


def test_lines_that_bigquery_refuses_become_rejects(harness: LoaderHarness) -> None:
    """The others are loaded, and the accounts balance: lines = rows + rejected."""
    landed = harness.land(*[domain(f"host-{number}") for number in range(40)], None)
    harness.staging.faulty_ids = {"host-7"}
    harness.loader.handle(landed)
    loaded = harness.last("loaded")
    assert (loaded.lines, loaded.rejected, loaded.job_id) == (41, 2, job_id(landed, 2))
    assert len(harness.staging.rows) == 39
    stem = harness.bucket.name_of(landed.uri).removesuffix(".ndjson.gz")
    rejects = harness.bucket.read(f"{stem}.load-rejects.ndjson")
    assert rejects
    reject = json.loads(rejects.data)
    assert reject["feed_line"] == 8
    assert reject["reason"] == "JSON table encountered too many errors"
    assert json.loads(reject["line"])["object"]["id"] == "host-7"


class _TooLargeToBeHeld(MemoryBucket):
    """A bucket whose packages do not fit into memory."""

    def read(self, name: str) -> Stored | None:
        if name.endswith(".gz"):
            raise MemoryError
        return super().read(name)


def test_refused_lines_are_found_without_holding_the_package() -> None:
    """However large: an instance loads two dozen minutes at once, and BigQuery may refuse lines in each."""
    bucket = _TooLargeToBeHeld()
    landed = land(bucket, find_feed("domains"), NOON, [domain(f"host-{number}") for number in range(500)])
    assert keep_rejects(bucket, landed, frozenset(range(1, 501)) - {7, 444}, "refused") == 2
    kept = bucket.read(bucket.name_of(landed.uri).removesuffix(".ndjson.gz") + ".load-rejects.ndjson")
    assert kept
    assert [json.loads(line)["feed_line"] for line in kept.data.splitlines()] == [7, 444]


def test_a_crash_after_a_lenient_load_changes_no_account(harness: LoaderHarness) -> None:
    """The next delivery skips the refused job, finds the lenient one, and counts the same lines."""
    landed = harness.land(domain("a"), domain("b"))
    harness.staging.faulty_ids = {"b"}
    harness.loader.handle(landed)
    first = harness.last("loaded")
    harness.loader.handle(landed)
    assert harness.last("loaded") == first
    assert harness.loaded_ids == ["a"]


def test_a_package_that_is_mostly_refused_is_not_loaded(harness: LoaderHarness) -> None:
    """With more than a tenth of at least twenty lines bad, the format has changed and nothing is accepted."""
    landed = harness.land(*[domain(f"host-{number}") for number in range(20)])
    harness.staging.faulty_ids = {"host-0", "host-1", "host-2"}
    for _ in range(2):
        with pytest.raises(Retryable, match="refused"):
            harness.loader.handle(landed)
    assert not harness.staging.rows
    assert harness.events == ["landed", "landed"]


def test_a_minute_whose_every_line_is_refused_is_merged_at_once(harness: LoaderHarness) -> None:
    """The merger would never see it."""
    landed = harness.land(domain("a"))
    harness.staging.faulty_ids = {"a"}
    harness.loader.handle(landed)
    assert harness.events == ["landed", "loaded", "merged"]
    merged = harness.last("merged")
    assert (merged.lines, merged.rejected, merged.rows) == (1, 1, 0)


@pytest.mark.parametrize("lines", [[], [None, None]])
def test_a_minute_without_a_good_line_needs_no_job(harness: LoaderHarness, lines: list[None]) -> None:
    """An empty minute, or one with only rejects, is loaded and merged at once."""
    harness.loader.handle(harness.land(*lines))
    assert harness.events == ["landed", "loaded", "merged"]
    assert harness.last("merged").rows == 0
    assert not harness.staging.jobs


def test_an_object_that_is_gone_is_poison(harness: LoaderHarness) -> None:
    """No repetition can restore it; the reason has the remedy."""
    landed = harness.land(domain("a"))
    harness.bucket.objects.clear()
    with pytest.raises(Poison, match=f"does not exist any more; to land the minute again: {REPLACE} --force"):
        harness.loader.handle(landed)


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
def test_an_address_that_is_not_the_minutes_own_is_poison(harness: LoaderHarness, uri: str) -> None:
    """A publisher cannot load other data in this minute's name."""
    landed = harness.land(domain("a")).model_copy(update={"uri": uri})
    with pytest.raises(Poison, match=r"is not a landed object of domains 2026-11-21T10:50:00Z"):
        harness.loader.handle(landed)
    assert not harness.ledger.rows


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"feed": "url"}, "feed 'url' is not switched on"),
        ({"minute": NOON + timedelta(minutes=1)}, "is in the future"),
        ({"minute": NOON - timedelta(days=3000)}, "or years ago"),
        ({"rejected": 2}, "2 rejected lines of 1"),
    ],
)
def test_a_message_that_cannot_be_true_is_poison(
    harness: LoaderHarness, change: dict[str, object], reason: str
) -> None:
    """It is refused before anything is written."""
    landed = harness.land(domain("a")).model_copy(update=change)
    with pytest.raises(Poison, match=reason):
        harness.loader.handle(landed)
    assert not harness.ledger.rows


def test_a_feed_that_is_only_off_here_is_left_to_the_sweep(harness: LoaderHarness) -> None:
    """The downloader may already have the new revision: the message is acked, and nothing is recorded."""
    harness.loader.handle(harness.land(domain("a")).model_copy(update={"feed": "urls"}))
    harness.loader.handle(MinuteAbsent(feed="urls", minute=MINUTE, checked_at=NOON))
    assert not harness.ledger.rows
    assert not harness.staging.rows


def test_an_absent_minute_is_recorded(harness: LoaderHarness) -> None:
    """The time is that of the request to the source."""
    harness.loader.handle(MinuteAbsent(feed="domains", minute=MINUTE, checked_at=NOON))
    assert harness.ledger.rows == [LedgerRow("absent", NOON, "domains", MINUTE)]


def test_a_minute_that_has_landed_is_not_absent(harness: LoaderHarness) -> None:
    """The manifest or the ledger shows that it has landed."""
    absent = MinuteAbsent(feed="domains", minute=MINUTE, checked_at=NOON)
    harness.bucket.create(manifest_name("domains", MINUTE), b"{}")
    harness.loader.handle(absent)
    assert not harness.ledger.rows
    harness.bucket.objects.clear()
    harness.loader.handle(harness.land(domain("a")))
    before = list(harness.ledger.rows)
    harness.loader.handle(absent)
    assert harness.ledger.rows == before
