"""Hours that go to SecOps: status, audit, replay, and the accounts of all of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.importer.errors import DestinationRefused, ImportRefused
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import manifest_name
from shared.contracts.outcomes import Misconfigured, TransientError
from shared.operations.audit_landings import audit_landings
from shared.operations.audit_streams import StreamAudit
from shared.operations.landing_reader import LandingReader
from shared.operations.log_readers import LogReaders
from shared.operations.replay_landings import replay_landings
from shared.operations.status import poll_problems
from shared.operations.stream_log import StreamLog
from shared.operations.stream_status import StreamStatus, stream_status
from shared.streams.landing_log import ForwardingStore, hour_number, landing_delivery_name
from tests.support.landings import HOUR, LandingHarness, ids
from tests.support.memory import reads

EVER = datetime(1970, 1, 1, tzinfo=UTC)
NEXT = HOUR + timedelta(hours=1)


@pytest.fixture
def harness() -> LandingHarness:
    """Return a harness whose feed has just been switched on."""
    harness = LandingHarness()
    harness.poll()
    return harness


def seen(reader: LandingReader, harness: LandingHarness) -> StreamLog:
    """Return what a reader sees now."""
    log = reader.read(harness.now())
    assert log
    return log


def status(harness: LandingHarness) -> StreamStatus:
    """Read the feed's landings and return their status."""
    return stream_status(seen(LandingReader(harness.bucket, "threat_lists"), harness), (), harness.now())


def test_a_feed_that_was_never_on_has_no_status() -> None:
    """Nor does the status have a stream of its name."""
    harness = LandingHarness()
    harness.land(1)
    assert LogReaders(harness.bucket).read(harness.now()) == []
    assert not list(audit_landings(harness.bucket, EVER, harness.now()))


def test_the_status_counts_elements_and_hours(harness: LandingHarness) -> None:
    """Delivered and waiting hours, with the elements of both."""
    harness.importer().landings.handle(harness.land(3))
    harness.land(2, NEXT)
    harness.land(0, NEXT + timedelta(hours=1))
    found = status(harness)
    assert (found.stream, found.unit, dict(found.pages)) == ("threat_lists", "hour", {"delivered": 2, "waiting": 1})
    assert (found.notifications, found.delivered, found.waiting, found.requests) == (5, 3, 2, 1)
    assert (found.first_date, found.last_date) == (HOUR, NEXT + timedelta(hours=1))
    assert not list(found.problems())


def test_hours_that_wait_too_long_are_one_problem_with_the_replay(harness: LandingHarness) -> None:
    """The command names hours, across midnight too."""
    for number in range(20):
        harness.land(2, HOUR + timedelta(hours=number))
    harness.now.advance(minutes=31)
    [problem] = status(harness).problems()
    assert str(problem) == (
        "threat_lists: hours 2026-11-21T09:00Z to 2026-11-22T04:00Z (40 elements) not delivered since 11-21 12:00Z; "
        "gti-mesh secops replay threat_lists 2026-11-21T09:00Z 2026-11-22T04:00Z"
    )


def test_what_landed_before_the_feed_was_on_counts_once_it_is_sent() -> None:
    """A replay makes it part of the account."""
    harness = LandingHarness()
    landed = harness.land(3)
    harness.now.advance(minutes=1)
    harness.poll()
    harness.now.advance(hours=2)
    assert status(harness).notifications == 0
    harness.secops.answers = [(None, True), (TransientError("503"), False)]
    with pytest.raises(TransientError):
        harness.importer(limits=Limits(3_900_000, 2)).landings.handle(landed)
    assert (status(harness).delivered, status(harness).waiting) == (2, 1)
    assert [finding.what for finding in audit(harness).findings] == ["hour 2026-11-21T09:00Z is not delivered"]


def test_what_lands_after_the_last_poll_is_not_overdue(harness: LandingHarness) -> None:
    """The feed may have been switched off; a poll that has stopped is a problem of its own."""
    harness.now.advance(minutes=20)
    harness.land(2)
    harness.now.advance(hours=3)
    assert not list(status(harness).problems())
    assert audit(harness).findings == ()
    harness.poll()
    assert len(list(status(harness).problems())) == len(audit(harness).findings) == 1


def test_a_condition_of_the_destination_is_the_only_problem(harness: LandingHarness) -> None:
    """Hours only wait for its end."""
    harness.secops.answers = [(DestinationRefused("404: no log type"), False)]
    with pytest.raises(DestinationRefused):
        harness.importer().landings.handle(harness.land(3))
    harness.now.advance(hours=2)
    [problem] = status(harness).problems()
    assert "threat_lists: SecOps takes nothing since 2026-11-21T12:00Z: 404: no log type" in str(problem)


def test_landings_hide_no_poll_that_has_stopped(harness: LandingHarness) -> None:
    """Hours land without the poll."""
    harness.now.advance(hours=3)
    harness.land(1)
    [problem] = poll_problems(LogReaders(harness.bucket).read(harness.now()), harness.now())
    assert str(problem) == "streams: no poll has ended since 2026-11-21T12:00Z"


def test_a_second_look_reads_what_has_changed(harness: LandingHarness) -> None:
    """A delivery that goes on is read again; one that is finished is not, nor is any landing."""
    first, second = harness.land(1), harness.land(2, NEXT)
    harness.importer().landings.handle(first)
    reader = LandingReader(harness.bucket, "threat_lists")
    assert [page.done for page in seen(reader, harness).pages] == [True, False]
    harness.importer().landings.handle(second)
    names = reads(harness.bucket)
    assert [page.done for page in seen(reader, harness).pages] == [True, True]
    assert [name for name in names if not name.startswith("state/")] == [_name(harness, second)]


def test_hours_are_read_at_the_same_time(harness: LandingHarness) -> None:
    """A week has 168 manifests and as many deliveries; one after another they would take seconds."""
    for number in range(8):
        harness.importer().landings.handle(harness.land(1, HOUR + timedelta(hours=number)))
    together = Barrier(8, timeout=120)
    harness.bucket.at_read = lambda name: name.startswith("state/") or together.wait()
    assert dict(status(harness).pages) == {"delivered": 8}


@pytest.mark.parametrize("kind", ["manifest", "delivery"])
@pytest.mark.parametrize("error", [TransientError("503"), Misconfigured("not valid JSON")])
def test_a_read_that_fails_is_a_problem_until_one_succeeds(
    harness: LandingHarness, kind: str, error: Exception
) -> None:
    """However often the page is read meanwhile; the other hours are there."""
    first, second = harness.land(1), harness.land(2, NEXT)
    for landed in (first, second):
        harness.importer().landings.handle(landed)
    bad = manifest_name("threat_lists", HOUR) if kind == "manifest" else _name(harness, first)

    def fail(name: str) -> None:
        if name == bad:
            raise error

    harness.bucket.at_read = fail
    reader = LandingReader(harness.bucket, "threat_lists")
    for _ in range(3):
        log = seen(reader, harness)
        assert [problem.text for problem in log.problems] == [str(error)]
        assert [page.sequence for page in log.pages if page.done] == [hour_number(NEXT)]
    harness.bucket.at_read = lambda _: None
    log = seen(reader, harness)
    assert ([page.done for page in log.pages], log.problems) == ([True, True], ())


def audit(harness: LandingHarness, since: datetime = EVER) -> StreamAudit:
    """Audit the feed."""
    [found] = audit_landings(harness.bucket, since, harness.now())
    return found


def _name(harness: LandingHarness, landed: MinuteLanded) -> str:
    return landing_delivery_name(harness.bucket, landed.uri)


def _changed(**changes: object) -> Callable[[LandingHarness, MinuteLanded], None]:
    def change(harness: LandingHarness, landed: MinuteLanded) -> None:
        delivery = harness.delivery(landed).model_copy(update=changes)
        harness.bucket.delete(_name(harness, landed))
        assert harness.bucket.create(_name(harness, landed), delivery.model_dump_json().encode())

    return change


def _without_aside(harness: LandingHarness, landed: MinuteLanded) -> None:
    del landed
    for name in list(harness.bucket.names("streams/threat_lists/oversize/")):
        harness.bucket.delete(name)


def _damaged(harness: LandingHarness, landed: MinuteLanded) -> None:
    harness.bucket.delete(_name(harness, landed))
    assert harness.bucket.create(_name(harness, landed), b"{")


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        (lambda harness, landed: harness.bucket.delete(_name(harness, landed)), "{} is not delivered", "gti-mesh"),
        (_changed(done=1), "{} is not delivered", "gti-mesh secops replay threat_lists 2026-11-21T09:00Z"),
        (_changed(accepted=1), "the delivery of {} accounts for 2 of 3 items", "delete gs://landing/streams"),
        (_changed(items=2, done=2), "the delivery of {} is about 2 of 3 lines", "delete gs://landing/streams"),
        (_changed(oversize=(), accepted=3), "item 1 of {} was set aside, and the delivery does not", "delete gs://"),
        (_without_aside, "item 1 of {} was set aside, and its object is gone", "delete gs://landing/streams"),
        (_damaged, "the delivery of {} cannot be read", "delete gs://landing/streams"),
    ],
)
def test_every_tampering_is_named_with_its_remedy(
    harness: LandingHarness, change: Callable[[LandingHarness, MinuteLanded], None], what: str, remedy: str
) -> None:
    """The audit finds it, and finds nothing before."""
    harness.secops.refuses = lambda found: ImportRefused("400") if "host-1.example" in found else None
    landed = harness.land(3)
    harness.importer().landings.handle(landed)
    harness.now.advance(hours=3)
    assert audit(harness).summary() == "threat_lists to SecOps: 1 hours; no mismatch"
    change(harness, landed)
    [finding] = audit(harness).findings
    assert finding.what.startswith(what.format("hour 2026-11-21T09:00Z"))
    assert finding.remedy.startswith(remedy)
    assert audit(harness, NEXT).pages == 0


def test_what_is_on_its_way_is_no_mismatch(harness: LandingHarness) -> None:
    """A lost message is published again after an hour, and a delivery that was given up has a dead letter."""
    harness.land(3)
    harness.now.advance(minutes=89)
    assert audit(harness).findings == ()
    harness.now.advance(minutes=2)
    assert len(audit(harness).findings) == 1


def test_a_replay_sends_what_is_not_delivered(harness: LandingHarness) -> None:
    """Delivered hours stay delivered, and hours that have not landed are named."""
    harness.importer().landings.handle(harness.land(2))
    harness.land(3, NEXT)
    replayed = replay_landings(harness.bucket, harness.pubsub, "threat_lists", HOUR, NEXT + timedelta(hours=2))
    assert (replayed.published, len(replayed.missing)) == (2, 2)
    for message in harness.announced():
        harness.importer().handle(message)
    assert harness.secops.ids() == ids(2) + ids(3)
    assert harness.bucket.read("state/streams/landings/threat_lists.json")
    assert ForwardingStore(harness.bucket, "threat_lists").read()[0]


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        (HOUR + timedelta(minutes=5), NEXT, "is inside an hour; name it by 2026-11-21T09:00:00Z"),
        (NEXT, HOUR, "name the first and the last hour"),
        (HOUR - timedelta(days=365), HOUR, "at most 2000 hours"),
    ],
)
def test_an_impossible_range_is_refused(harness: LandingHarness, first: datetime, last: datetime, reason: str) -> None:
    """The reason has the value and what to name instead."""
    with pytest.raises(Misconfigured, match=reason):
        replay_landings(harness.bucket, harness.pubsub, "threat_lists", first, last)
    with pytest.raises(Misconfigured, match="the feed 'domains' cannot be sent to SecOps"):
        replay_landings(harness.bucket, harness.pubsub, "domains", HOUR, HOUR)
