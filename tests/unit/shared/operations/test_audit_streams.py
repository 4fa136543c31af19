"""Every change in a stream's log is reported with its page and a step that repairs it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from services.secops_forwarder.importer.errors import ImportRefused
from shared.operations.audit_streams import StreamAudit, audit_streams
from shared.streams.delivery_progress import Delivery, delivery_name, find_delivery
from shared.streams.page_log import page_name
from tests.support.streams import ForwarderHarness

EVER = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = page_name("ioc_stream", 2)
DELIVERY = delivery_name(SECOND)
OVERSIZE = "streams/ioc_stream/oversize/0000000002-0000.json"
AGAIN = "gti-mesh secops replay ioc_stream 2 2"


@pytest.fixture
def harness() -> ForwarderHarness:
    """Return a forwarder that has delivered three pages; an item of the second was set aside."""
    harness = ForwarderHarness()
    ids: list[str] = []
    for _ in range(3):
        ids += harness.source.add(harness.now() - timedelta(minutes=2), harness.now() - timedelta(minutes=1))
        harness.poll()
        harness.now.advance(minutes=5)
    harness.secops.refuses = lambda those: ImportRefused("400") if ids[2] in those else None
    assert len(harness.messages()) == 3
    for message in harness.messages():
        harness.importer().handle(message)
    harness.now.advance(hours=3)
    return harness


def audit(harness: ForwarderHarness, *, deep: bool = True, since: datetime = EVER) -> StreamAudit:
    """Audit the one stream."""
    [found] = audit_streams(harness.bucket, since, deep=deep, now=harness.now())
    return found


def rewrite(harness: ForwarderHarness, name: str, old: bytes, new: bytes) -> None:
    """Change an object."""
    stored = harness.bucket.read(name)
    assert stored
    assert old in stored.data
    assert harness.bucket.replace(name, stored.data.replace(old, new), stored.generation)


def deliver(harness: ForwarderHarness, **changes: object) -> None:
    """Change the delivery record of the second page."""
    delivery = find_delivery(harness.bucket, SECOND)
    assert delivery
    harness.bucket.delete(DELIVERY)
    assert harness.bucket.create(DELIVERY, delivery.model_copy(update=changes).model_dump_json().encode())


def test_a_log_that_is_in_order_has_no_mismatch(harness: ForwarderHarness) -> None:
    """A log in order has no mismatch, and the summary counts its pages."""
    assert harness.bucket.read(OVERSIZE)
    assert audit(harness).findings == ()
    assert audit(harness).summary() == "ioc_stream: 3 pages; no mismatch"


Change = Callable[[ForwarderHarness], None]
CHANGES: dict[str, tuple[Change, str, str]] = {
    "a page is gone": (lambda harness: harness.bucket.delete(SECOND), "page 2 is gone", "restore an earlier version"),
    "the last page is gone": (
        lambda harness: harness.bucket.delete(page_name("ioc_stream", 3)),
        "page 3 is gone",
        "restore an earlier version",
    ),
    "a page has changed": (
        lambda harness: rewrite(harness, SECOND, b"domain", b"nomaid"),
        "page 2 has changed since it was delivered",
        "restore an earlier version",
    ),
    "a delivery is gone": (lambda harness: harness.bucket.delete(DELIVERY), "page 2 is not delivered", AGAIN),
    "a delivery cannot be read": (
        lambda harness: rewrite(harness, DELIVERY, b"{", b""),
        "the delivery of page 2 cannot be read",
        AGAIN,
    ),
    "a delivery has come less far": (lambda harness: deliver(harness, done=0), "page 2 is not delivered", AGAIN),
    "a delivery counts fewer": (
        lambda harness: deliver(harness, accepted=0),
        "the delivery of page 2 accounts for 1 of 2 items",
        AGAIN,
    ),
    "a delivery names no item that was set aside": (
        lambda harness: deliver(harness, oversize=(), accepted=2),
        "item 0 of page 2 was set aside, and the delivery does not name it",
        AGAIN,
    ),
    "an item that was set aside is gone": (
        lambda harness: harness.bucket.delete(OVERSIZE),
        "item 0 of page 2 was set aside, and its object is gone",
        AGAIN,
    ),
    "an item that was set aside has changed": (
        lambda harness: rewrite(harness, OVERSIZE, b"domain", b"nomaid"),
        "item 0 of page 2 was set aside, and its object has changed",
        "restore an earlier version",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_named_with_a_step(harness: ForwarderHarness, change: str) -> None:
    """A plain audit finds every change, each with a step."""
    do, says, step = CHANGES[change]
    do(harness)
    findings = audit(harness, deep=False).findings
    assert [finding for finding in findings if finding.what.startswith(says) and step in finding.remedy], findings


def test_a_step_that_is_named_mends_it(harness: ForwarderHarness) -> None:
    """The step repairs it: a lost delivery is delivered again, and the set-aside item is there again."""
    harness.bucket.delete(OVERSIZE)
    harness.bucket.delete(DELIVERY)
    harness.importer().handle(harness.messages()[1])
    assert audit(harness).findings == ()


def test_since_leaves_older_pages_alone(harness: ForwarderHarness) -> None:
    """Pages before the start time are not counted, and neither their deliveries nor their set-aside items are read."""
    rewrite(harness, OVERSIZE, b"domain", b"nomaid")
    harness.bucket.delete(DELIVERY)
    everything, later = audit(harness), audit(harness, since=harness.now())
    assert (everything.pages, len(everything.findings)) == (3, 2)
    assert (later.pages, later.findings) == (0, ())


def test_a_page_that_was_given_up_is_a_dead_letter_and_no_mismatch(harness: ForwarderHarness) -> None:
    """A page that was given up has a dead letter; a page that has just landed is in progress."""
    given_up = Delivery(items=2, reason="refused").model_dump_json().encode()
    harness.bucket.delete(DELIVERY)
    harness.bucket.create(DELIVERY, given_up)
    harness.bucket.delete(OVERSIZE)
    assert audit(harness).findings == ()


def test_a_stream_without_a_log_is_not_audited() -> None:
    """A stream without a log has no findings."""
    assert list(audit_streams(ForwarderHarness().bucket, EVER, deep=True, now=datetime.now(UTC))) == []
