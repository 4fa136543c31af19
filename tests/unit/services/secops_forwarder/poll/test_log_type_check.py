"""The tenant is asked once whether a stream's log type exists, and what it says is reported once."""

from collections.abc import Callable

import pytest

from services.secops_forwarder.importer.errors import DestinationRefused, LogTypeMissing
from services.secops_forwarder.poll.log_type_check import LogTypeCheck
from shared.contracts.outcomes import MeshError, TransientError
from shared.operations.feed_conditions import log_type_conditions
from shared.operations.stream_log import StreamReader
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket
from tests.support.streams import STREAM, ForwarderHarness, changed


class TenantDouble:
    """A tenant that answers with these errors, one a question, and then has every log type."""

    def __init__(self, *errors: MeshError) -> None:
        self.asked: list[str] = []
        self._errors = list(errors)

    def check_log_type(self, log_type: str) -> None:
        """Answer one question."""
        self.asked.append(log_type)
        if self._errors:
            raise self._errors.pop(0)


@pytest.fixture
def bucket() -> MemoryBucket:
    """Return an empty bucket."""
    return MemoryBucket()


def checking(tenant: TenantDouble, bucket: MemoryBucket) -> Callable[[], str | None]:
    """Return a poll's check, in a process of its own each time."""
    return lambda: LogTypeCheck(tenant, bucket, Clock()).check(STREAM)


def test_a_log_type_that_exists_is_reported_once(bucket: MemoryBucket) -> None:
    """Whichever process polls next, and again only for another log type."""
    tenant = TenantDouble()
    check = checking(tenant, bucket)
    assert [check(), check()] == [f"the tenant has the log type {STREAM.log_type}", None]
    other = changed(STREAM, log_type="OTHER_CUSTOM")
    assert LogTypeCheck(tenant, bucket, Clock()).check(other) == "the tenant has the log type OTHER_CUSTOM"
    assert tenant.asked == [STREAM.log_type, "OTHER_CUSTOM"]


def test_a_missing_log_type_is_a_condition_until_it_is_there(bucket: MemoryBucket) -> None:
    """Reported once, asked for with every poll, and over when the tenant has it."""
    check = checking(TenantDouble(LogTypeMissing("no such type"), LogTypeMissing("no such type")), bucket)
    assert [check(), check()] == ["no such type", None]
    condition = log_type_conditions(bucket).read(STREAM.name)
    assert condition
    assert (condition.reason, condition.since) == ("no such type", NOON)
    assert check() == f"the tenant has the log type {STREAM.log_type}"
    assert log_type_conditions(bucket).read(STREAM.name) is None


def test_credentials_that_may_not_ask_are_reported_once(bucket: MemoryBucket) -> None:
    """The check is a help, not a requirement."""
    tenant = TenantDouble(DestinationRefused("403: give the permission"))
    check = checking(tenant, bucket)
    first, second = check(), check()
    assert first
    assert "was not checked: 403: give the permission" in first
    assert (second, len(tenant.asked)) == (None, 1)


def test_trouble_on_the_way_is_asked_again(bucket: MemoryBucket) -> None:
    """The answer is still to come."""
    check = checking(TenantDouble(TransientError("503")), bucket)
    assert [check(), check()] == [None, f"the tenant has the log type {STREAM.log_type}"]


def test_a_record_that_cannot_be_read_stops_no_poll(bucket: MemoryBucket, caplog: pytest.LogCaptureFixture) -> None:
    """A corrupt record is reported with what to do, and the poll continues."""
    bucket.create(f"state/streams/log-types/{STREAM.name}.json", b"{")
    assert checking(TenantDouble(), bucket)() is None
    assert "cannot be read" in caplog.text
    assert "delete it" in caplog.text


def test_status_shows_a_missing_log_type() -> None:
    """As a condition of the stream, from the first page on."""
    harness = ForwarderHarness()
    harness.source.add(NOON)
    harness.poll()
    LogTypeCheck(TenantDouble(LogTypeMissing("no such type")), harness.bucket, harness.now).check(STREAM)
    log = StreamReader(harness.bucket, STREAM.name).read(harness.now())
    assert log
    assert log.condition
    assert log.condition.reason == "no such type"
