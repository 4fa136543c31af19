"""The checks of dead letters and push backoff."""

from collections.abc import Sequence

import pytest

from infra.doctor.pubsub_behaviour import pubsub_checks
from infra.doctor.scratch import Scratch
from shared.operations.doctor.check import Finding, Outcome
from tests.support.google_double import Answer, Asked, GoogleDouble, refused
from tests.support.healthy_project import ID, PUBSUB, healthy, project

MESSAGE = {"ackId": "a", "message": {"attributes": {"CloudPubSubDeadLetterSourceSubscription": "s"}}}


def found(name: str, double: GoogleDouble, scratch: Scratch) -> Finding:
    """Return what a check finds, without waiting."""
    checks = pubsub_checks(project(double), scratch, sleep=lambda _: None)
    [check] = [check for check in checks if check.name == name]
    return check.look()


def pubsub(scratch: Scratch, *, nacks: int = 5, attributes: object = MESSAGE) -> GoogleDouble:
    """Return a Pub/Sub that dead-letters a message after a number of nacks."""
    double = healthy()
    left = [nacks]
    stem = f"{PUBSUB}/subscriptions/{scratch.name}-dead"

    def nack(_: Asked) -> Answer:
        left[0] -= 1
        return {}

    def waiting(*, dead: bool) -> Answer:
        return {"receivedMessages": [attributes if dead else MESSAGE]} if dead == (left[0] <= 0) else {}

    for name in ("-dead", "-dead-letters", "-push"):
        for kind in ("topics", "subscriptions"):
            address = f"{PUBSUB}/{kind}/{scratch.name}{name}"
            double.answers |= {f"PUT {address}": {}, f"DELETE {address}": {}, f"POST {address}:setIamPolicy": {}}
            double.answers[f"POST {address}:publish"] = {}
    double.answers[f"POST {stem}:modifyAckDeadline"] = nack
    double.answers[f"POST {stem}:pull"] = lambda _: waiting(dead=False)
    double.answers[f"POST {stem}-letters:pull"] = lambda _: waiting(dead=True)
    return double


def removed(double: GoogleDouble) -> int:
    """Return how many resources were deleted."""
    return sum(key.startswith("DELETE") for key in double.asked)


def test_a_dead_letter_makes_its_round_trip_and_leaves_nothing() -> None:
    """After five nacks the message is in the dead-letter topic; topics and subscriptions are removed."""
    with Scratch() as scratch:
        double = pubsub(scratch)
        finding = found("dead-letter round trip", double, scratch)
    assert finding == Finding(Outcome.PASS, "after 5 deliveries")
    assert (removed(double), scratch.left) == (4, [])


def test_a_dead_letter_that_does_not_arrive_fails() -> None:
    """Without the agent's permissions the message is redelivered and the check fails."""
    with Scratch() as scratch:
        finding = found("dead-letter round trip", pubsub(scratch, nacks=10**6), scratch)
    assert finding.outcome is Outcome.FAIL
    assert "nothing in the dead-letter topic within 180 s" in finding.seen


def test_a_dead_letter_without_its_source_fails() -> None:
    """The ledger needs the attributes that name the subscription."""
    with Scratch() as scratch:
        finding = found("dead-letter round trip", pubsub(scratch, attributes={"ackId": "a"}), scratch)
    assert finding == Finding(Outcome.FAIL, "its attributes do not name its source")


@pytest.mark.parametrize(
    ("seconds", "outcome", "seen"),
    [
        ((0, 10, 30), Outcome.PASS, "pushes 10, 20 s apart"),
        ((0, 1, 2), Outcome.FAIL, "pushes 1, 1 s apart"),
        ((0,), Outcome.UNKNOWN, "1 pushes within 90 s, and two are needed to tell"),
    ],
)
def test_pushes_are_counted_by_the_request_log(seconds: Sequence[int], outcome: Outcome, seen: str) -> None:
    """The intervals between requests decide, and the subscription is removed."""
    entries = [{"timestamp": f"2026-11-29T10:00:{second:02}.000Z"} for second in seconds]
    with Scratch() as scratch:
        double = pubsub(scratch)
        double.answers["POST logging.googleapis.com/v2/entries:list"] = {"entries": entries}
        finding = found("push backoff", double, scratch)
    assert finding == Finding(outcome, seen)
    assert removed(double) == 2


def test_what_cannot_be_removed_is_named() -> None:
    """A refused deletion is reported at the end, with the resource."""
    with Scratch() as scratch:
        double = pubsub(scratch)
        topic = f"{PUBSUB}/topics/{scratch.name}-dead"
        double.answers[f"DELETE {topic}"] = refused(403, "denied")
        found("dead-letter round trip", double, scratch)
    assert len(scratch.left) == 1
    assert scratch.left[0].startswith(f"pubsub.googleapis.com/v1/projects/{ID}/topics/{scratch.name}-dead: DELETE")
