"""The status of streams, from logs written by real polls and deliveries."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.importer.errors import DestinationRefused, ImportRefused
from services.status_page.shape import shape
from shared.contracts.interfaces import Stored
from shared.contracts.outcomes import Misconfigured, Poison, TransientError
from shared.operations.open_dead_letters import DeadLetterRecord
from shared.operations.replay_pages import replay_pages
from shared.operations.status import MeshStatus, poll_problems
from shared.operations.stream_log import MAX_PAGES, StreamReader
from shared.operations.stream_status import StreamStatus, stream_status
from shared.streams.delivery_progress import Delivery, delivery_name
from shared.streams.page_log import page_name
from shared.virustotal.errors import KeyRefused
from tests.support.doubles import NOON
from tests.support.memory import reads
from tests.support.streams import ForwarderHarness


class CountingHarness(ForwarderHarness):
    """A harness that writes pages and counts the reader's requests."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(bytes=3_900_000, logs=2)
        self.reader = StreamReader(self.bucket, self.stream.name)

    def log_pages(self, count: int) -> None:
        """Let a poll write this many pages of two notifications each."""
        before = len(self.source.items)
        self.source.add(*(self.now() - timedelta(minutes=5) + timedelta(seconds=number) for number in range(2 * count)))
        assert len(self.source.items) == before + 2 * count
        self.poll()

    def fail_polls(self, error: Exception) -> None:
        """Make the source answer with an error."""

        def fail(_: int) -> None:
            raise error

        self.source.on_ask = fail

    def deliver(self, *sequences: int) -> None:
        """Deliver pages."""
        for message in self.messages():
            if message.sequence in sequences:
                self.importer().handle(message)

    def status(self, *dead_letters: DeadLetterRecord) -> StreamStatus:
        """Read the stream's log."""
        log = self.reader.read(self.now())
        assert log
        return stream_status(log, dead_letters, self.now())


@pytest.fixture
def harness() -> CountingHarness:
    """Return a harness with three pages, the first of them delivered."""
    harness = CountingHarness()
    harness.log_pages(3)
    harness.deliver(1)
    return harness


def test_a_stream_says_what_is_delivered_and_what_waits(harness: CountingHarness) -> None:
    """Pages, notifications, requests, and the dates of the first and the newest."""
    status = harness.status()
    assert status.pages == {"delivered": 1, "waiting": 2}
    assert (status.notifications, status.delivered, status.waiting, status.given_up) == (6, 2, 4, 0)
    assert (status.requests, status.held_until, status.freshness_minutes) == (1, None, 0)
    assert status.first_date == NOON - timedelta(minutes=5)
    assert status.last_date == NOON - timedelta(minutes=5) + timedelta(seconds=5)
    assert status.hours == ((NOON, 6, 0),)


def test_pages_that_wait_too_long_are_a_problem_with_one_command(harness: CountingHarness) -> None:
    """Adjacent pages form a range; pages younger than half an hour are in progress."""
    [run] = harness.status().undelivered
    assert (run.first, run.last, run.state, run.overdue) == (2, 3, "waiting", False)
    assert list(harness.status().problems()) == []
    harness.now.advance(minutes=31)
    [problem] = map(str, harness.status().problems())
    assert problem == (
        "ioc_stream: pages 2 to 3 (4 notifications) not delivered since 11-21 12:00Z; "
        "gti-mesh secops replay ioc_stream 2 3"
    )
    mesh = MeshStatus(harness.now(), (), (), (), (harness.status(),))
    assert mesh.problems() == [problem]
    harness.deliver(2, 3)
    assert list(harness.status().problems()) == []


def test_a_page_in_hand_says_until_when(harness: CountingHarness) -> None:
    """While a delivery holds its lease, no action is needed."""
    seen: list[StreamStatus] = []
    harness.secops.on_post = lambda: seen.append(harness.status())
    harness.deliver(2)
    assert seen[0].pages == {"delivered": 1, "in hand": 1, "waiting": 1}
    assert seen[0].held_until
    assert seen[0].held_until > harness.now()


def test_a_page_given_up_has_the_command_of_its_letter(harness: CountingHarness) -> None:
    """A letter in the ledger is redriven; before that, and after it was discarded, the page can be republished."""
    harness.deliver(2, 3)
    harness.limits = Limits(bytes=3_900_000, logs=1)
    harness.log_pages(1)
    harness.secops.refuses = lambda _: ImportRefused("SecOps answered 400: no such log")
    with pytest.raises(Poison, match="no such log"):
        harness.deliver(4)
    refused, waiting = harness.status().undelivered
    assert (refused.first, refused.state, refused.remedy) == (4, "given up", "gti-mesh secops replay ioc_stream 4 4")
    assert refused.reason
    assert "no such log" in refused.reason
    assert waiting.first == 5
    harness.secops.refuses = lambda _: None
    harness.deliver(5)
    letter = DeadLetterRecord(
        "17", None, None, "SecOps said no", 1, "secops-import", NOON, None, uri=harness.messages()[3].uri
    )
    assert harness.status(letter).undelivered[0].remedy == "gti-mesh dead redrive 17"
    harness.now.advance(hours=3)
    assert list(harness.status(letter).problems()) == [], "the letter is reported by the mesh's status"


def test_a_condition_of_the_destination_is_one_problem_with_what_to_do(harness: CountingHarness) -> None:
    """The condition is one problem for any number of waiting pages, and ends with the first acceptance."""
    harness.secops.answers = [(DestinationRefused("logs:import was answered 403: give the permission"), False)]
    with pytest.raises(DestinationRefused):
        harness.deliver(2)
    harness.now.advance(hours=3)
    status = harness.status()
    [problem] = map(str, status.problems())
    page: Any = shape(MeshStatus(harness.now(), (), (), (), (status,)), (), seconds=10)
    [shown] = page["streams"]
    [condition] = shown["conditions"]
    assert (condition["text"], shown["undelivered"]) == (problem, []), "the page has it too, and no card a page"
    since = "2026-11-21T12:00Z"
    assert (
        problem == f"ioc_stream: SecOps takes nothing since {since}: logs:import was answered 403: give the permission"
    )
    harness.deliver(2)
    [problem] = map(str, harness.status().problems())
    assert problem.startswith("ioc_stream: page 3 (2 notifications) not delivered since")
    harness.deliver(3)
    assert list(harness.status().problems()) == []


def test_a_page_whose_attempts_were_spent_is_given_up(harness: CountingHarness) -> None:
    """The delivery has no reason; the letter has."""
    harness.secops.answers = [(TransientError("SecOps answered 503"), False)]
    with pytest.raises(TransientError):
        harness.deliver(2)
    uri = harness.messages()[1].uri
    letter = DeadLetterRecord(
        "18", None, None, "attempts spent: 100 deliveries", 100, "secops-import", NOON, None, uri=uri
    )
    assert [run.state for run in harness.status().undelivered] == ["waiting"]
    given_up, _ = harness.status(letter).undelivered
    assert (given_up.state, given_up.reason) == ("given up", "attempts spent: 100 deliveries")


def test_a_second_look_reads_only_what_is_not_done() -> None:
    """A delivered page is never read again, and a page's items are counted once."""
    harness = CountingHarness()
    harness.log_pages(30)
    harness.deliver(*range(1, 29))
    harness.status()
    names = reads(harness.bucket)
    assert harness.status().notifications == 60
    folders = ("streams", "destinations", "streams/missing-log-types", "streams/conditions")
    small = [f"state/{folder}/ioc_stream.json" for folder in folders]
    assert names == small
    harness.deliver(29)
    names.clear()
    harness.status()
    assert sorted(names) == sorted([*small, delivery_name(page_name("ioc_stream", 29))])


def test_a_stuck_page_does_not_make_the_later_ones_be_read_again() -> None:
    """With a log of any length, only deliveries that have been tried again are read again."""
    harness = CountingHarness()
    harness.log_pages(60)
    harness.secops.answers = [(TransientError("SecOps answered 503"), False)]
    with pytest.raises(TransientError):
        harness.deliver(1)
    harness.deliver(*range(2, 61))
    assert harness.status().pages == {"waiting": 1, "delivered": 59}
    names = reads(harness.bucket)
    harness.status()
    assert [name for name in names if "/pages/" in name] == []
    harness.secops.answers = [(TransientError("SecOps answered 503"), False)]
    with pytest.raises(TransientError):
        harness.deliver(1)
    names.clear()
    assert harness.status().pages == {"waiting": 1, "delivered": 59}
    assert [name for name in names if "/pages/" in name] == [delivery_name(page_name("ioc_stream", 1))]


def test_pages_refused_for_one_kind_of_reason_are_one(harness: CountingHarness) -> None:
    """Although each reason names its own page; one command redrives them all."""
    letters = [
        DeadLetterRecord(
            str(n), None, None, f"403 of page {n}", 1, "secops-import", NOON, None, uri=harness.messages()[n - 1].uri
        )
        for n in (3, 2)
    ]
    [run] = harness.status(*letters).undelivered
    assert (run.first, run.last, run.pages, run.reason) == (2, 3, 2, "403 of page 3")
    assert run.remedy == "gti-mesh dead redrive 3 2"
    mesh = MeshStatus(harness.now(), (), (), letters, (harness.status(*letters),))
    assert mesh.problems() == [
        "2 dead letters of ioc_stream (unknown), the newest: 403 of page 3; gti-mesh dead redrive 3 2"
    ]


def test_a_spoilt_delivery_is_one_problem_beside_the_others(harness: CountingHarness) -> None:
    """A corrupt delivery is one problem with its address and what to do; the other pages are counted."""
    spoilt = delivery_name(page_name("ioc_stream", 1))
    kept = harness.bucket.objects[spoilt]
    harness.bucket.objects[spoilt] = Stored(b"spoilt", 99)
    status = harness.status()
    assert status.pages == {"waiting": 3}
    [problem] = map(str, status.problems())
    assert spoilt in problem
    assert "delete it to send the page again" in problem
    harness.bucket.objects[spoilt] = kept
    assert harness.status().pages == {"delivered": 1, "waiting": 2}


def test_a_read_that_fails_is_a_problem_until_one_succeeds(harness: CountingHarness) -> None:
    """Although the delivery is the same before and after."""
    failing = delivery_name(page_name("ioc_stream", 1))

    def fail(name: str) -> None:
        if name == failing:
            raise TransientError("503")

    harness.bucket.at_read = fail
    for _ in range(2):
        status = harness.status()
        assert (status.pages, [problem.text for problem in status.problems()]) == ({"waiting": 3}, ["503"])
    harness.bucket.at_read = lambda _: None
    status = harness.status()
    assert (status.pages, list(status.problems())) == ({"delivered": 1, "waiting": 2}, [])


def test_a_spoilt_hint_hides_no_page(harness: CountingHarness) -> None:
    """A corrupt hint is a problem, and the log is read from its first page."""
    hint = "state/streams/ioc_stream.json"
    harness.bucket.objects[hint] = Stored(b"spoilt", 99)
    status = harness.status()
    assert status.pages == {"delivered": 1, "waiting": 2}
    [problem] = map(str, status.problems())
    assert hint in problem


def test_a_poll_that_fails_says_why_before_there_is_a_page() -> None:
    """A refused key is a problem after one attempt, and disappears with the next successful poll."""
    harness = CountingHarness()
    harness.fail_polls(KeyRefused("VirusTotal answered 401; check VT_API_KEY"))
    with pytest.raises(KeyRefused):
        harness.poll()
    status = harness.status()
    assert (status.pages, status.last_landed) == ({}, None)
    assert list(map(str, status.problems())) == [
        "ioc_stream: VirusTotal gives nothing since 2026-11-21T12:00Z: VirusTotal answered 401; check VT_API_KEY"
    ]
    harness.source.on_ask = lambda _: None
    harness.log_pages(1)
    assert list(harness.status().problems()) == []


def test_an_error_that_passes_is_shown_and_no_problem_until_it_has_lasted(harness: CountingHarness) -> None:
    """The last error of source and destination is shown at once, and is a problem only after some time."""
    harness.fail_polls(TransientError("VirusTotal answered 503"))
    with pytest.raises(TransientError):
        harness.poll()
    harness.secops.answers = [(TransientError("SecOps answered 503"), False)]
    with pytest.raises(TransientError):
        harness.deliver(2)
    status = harness.status()
    assert status.source
    assert status.condition
    assert (status.source.reason, status.condition.reason) == ("VirusTotal answered 503", "SecOps answered 503")
    assert list(status.problems()) == []
    harness.now.advance(minutes=11)
    assert len(list(harness.status().problems())) == 2


def test_a_poll_that_has_stopped_is_a_problem(harness: CountingHarness) -> None:
    """If no poll has ended for an hour, that is one problem of all streams.

    A stream that is off does not count. After a week there is no problem.
    """
    log = harness.reader.read(harness.now())
    assert log
    off = replace(log, stream="off", pass_began=NOON - timedelta(days=2), pages=(), newest=None)
    hour = NOON + timedelta(hours=1)
    assert list(poll_problems([log, off], hour)) == []
    [problem] = map(str, poll_problems([log, off], hour + timedelta(minutes=1)))
    assert problem == "streams: no poll has ended since 2026-11-21T12:00Z"
    assert list(poll_problems([log, off], NOON + timedelta(days=8))) == []


def test_of_a_long_log_only_the_end_is_looked_at() -> None:
    """Only the newest pages are read, none older than the source's seven days."""
    harness = CountingHarness()
    harness.log_pages(2)
    harness.now.advance(days=8)
    harness.log_pages(2)
    assert harness.status().pages == {"waiting": 2}
    assert harness.status().undelivered[0].first == 3
    done = Delivery(items=2, done=2, accepted=2).model_dump_json().encode()
    page = harness.bucket.read(page_name("ioc_stream", 4))
    assert page
    for sequence in range(5, MAX_PAGES + 11):
        harness.bucket.create(page_name("ioc_stream", sequence), page.data)
        harness.bucket.create(delivery_name(page_name("ioc_stream", sequence)), done)
    harness.bucket.objects["state/streams/ioc_stream.json"] = page.__class__(b'{"published":%d}' % (MAX_PAGES + 10), 1)
    fresh = StreamReader(harness.bucket, "ioc_stream").read(harness.now())
    assert fresh
    assert (len(fresh.pages), fresh.pages[0].sequence) == (MAX_PAGES, 11)


def test_a_spoilt_page_hides_none_of_the_others(harness: CountingHarness) -> None:
    """The page waits without a count of items; the stream still has a status."""
    newest = page_name("ioc_stream", 3)
    harness.bucket.objects[newest] = Stored(b"spoilt", harness.bucket.objects[newest].generation)
    status = harness.status()
    assert status.pages == {"delivered": 1, "waiting": 2}
    assert (status.notifications, status.first_date) == (4, NOON - timedelta(minutes=5))
    assert status.last_date is None


def test_a_stream_that_never_had_a_page_has_no_status(harness: CountingHarness) -> None:
    """A stream without pages has no status."""
    assert StreamReader(harness.bucket, "vulnerabilities").read(NOON) is None


def test_pages_can_be_told_of_again(harness: CountingHarness) -> None:
    """The messages are those of the landing; delivered pages are not sent again."""
    messages = harness.messages()
    assert replay_pages(harness.bucket, harness.pubsub, "ioc_stream", 1, 3) == 3
    assert harness.messages()[3:] == messages
    harness.deliver(1, 2, 3)
    assert set(harness.secops.ids().values()) == {1}
    for first, last, text in ((3, 4, "no page 4"), (2, 1, "name the first and the last"), (1, 9999, "at most 2000")):
        with pytest.raises(Misconfigured, match=text):
            replay_pages(harness.bucket, harness.pubsub, "ioc_stream", first, last)
    with pytest.raises(Misconfigured, match="unknown stream"):
        replay_pages(harness.bucket, harness.pubsub, "nothing", 1, 1)


def test_a_quiet_stream_still_says_when_it_last_spoke(harness: CountingHarness) -> None:
    """This holds even if the newest page is older than seven days."""
    harness.deliver(2, 3)
    harness.now.advance(days=20)
    status = harness.status()
    assert (status.pages, status.notifications, status.last_landed) == ({}, 0, NOON)
    assert status.freshness_minutes == 20 * 24 * 60
