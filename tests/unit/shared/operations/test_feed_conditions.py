"""The last error of a feed or stream is recorded once, replaced by another kind, and removed by a success."""

from datetime import timedelta

from shared.contracts.outcomes import TransientError
from shared.operations.feed_conditions import FeedConditions, stream_conditions
from shared.virustotal.errors import KeyRefused, NotLicensed
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket

LATER = NOON + timedelta(minutes=5)


def test_the_last_error_is_kept_with_the_time_of_the_first() -> None:
    """A type has the time of its first error and the text of its last, to a minute; a success removes both."""
    conditions = FeedConditions(MemoryBucket())
    for error, now, since, reason in (
        (TransientError("503"), NOON, NOON, "503"),
        (TransientError("502"), NOON + timedelta(seconds=59), NOON, "503"),
        (TransientError("package is damaged"), LATER, NOON, "package is damaged"),
        (TransientError("504"), LATER + timedelta(seconds=59), NOON, "package is damaged"),
        (NotLicensed("403"), LATER, LATER, "403"),
    ):
        conditions.report("domains", error, now)
        found = conditions.read("domains")
        assert found
        assert (found.error_type, found.since, found.reason) == (error.error_type, since, reason)
    conditions.clear("domains")
    assert conditions.read("domains") is None


def test_an_object_that_cannot_be_read_is_replaced_by_the_next_error() -> None:
    """A corrupt object must not hide an error, so the next error replaces it."""
    bucket = MemoryBucket()
    bucket.create("state/feeds/domains.json", b"spoilt")
    conditions = FeedConditions(bucket)
    conditions.report("domains", KeyRefused("401"), NOON)
    found = conditions.read("domains")
    assert found
    assert found.blocks


def test_what_blocks_is_a_problem_at_once_and_trouble_when_it_has_lasted() -> None:
    """A blocking error is a problem at once; any other only after some time, since single failures are normal."""
    conditions = FeedConditions(MemoryBucket())
    for error, minutes, shown in ((KeyRefused("401"), 0, True), (TransientError("503"), 10, False)):
        conditions.report("domains", error, NOON)
        found = conditions.read("domains")
        assert found
        assert bool(list(found.problems("x", NOON + timedelta(minutes=minutes)))) is shown
        assert list(map(str, found.problems("x", NOON + timedelta(minutes=11)))) == [
            f"x since 2026-11-21T12:00Z: {error}"
        ]


def test_a_stream_that_is_switched_off_in_trouble_is_forgotten() -> None:
    """The condition of a stream that is switched off is deleted, because nothing else would end it."""
    conditions = stream_conditions(MemoryBucket())
    for stream in ("ioc_stream", "vulnerabilities"):
        conditions.report(stream, NotLicensed("403"), NOON)
    conditions.keep_only(["ioc_stream"])
    assert conditions.read("ioc_stream")
    assert conditions.read("vulnerabilities") is None
