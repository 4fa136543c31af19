"""A push has three outcomes, and a body that is not a push is refused."""

import base64
import json
from inspect import isfunction
from typing import Any

import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from shared.contracts.messages import MinuteRequested, minute_requested
from shared.contracts.outcomes import Poison, Retryable
from shared.contracts.push_envelope import Delivery, NotAPush, read_delivery, read_message
from shared.runtime.push import answer_push, push_handler
from tests.support.memory import MemoryPublisher

BODY = b'{"feed":"domains","minute":"2026-11-21T14:10Z"}'


def push(data: bytes = BODY, **message: Any) -> dict[str, Any]:
    """Return a push envelope."""
    return {
        "message": {"data": base64.b64encode(data).decode(), "messageId": "17", **message},
        "subscription": "projects/p/subscriptions/downloader",
        "deliveryAttempt": 3,
    }


def request(body: object) -> Request:
    """Return a POST request with this JSON body."""
    raw = body if isinstance(body, bytes) else json.dumps(body)
    return Request(EnvironBuilder(method="POST", data=raw, content_type="application/json").get_environ())


def answer(body: object, outcome: Exception | None = None, publisher: MemoryPublisher | None = None) -> int:
    """Push a body to a function that ends like this, and return the status."""

    def work(_: Delivery) -> None:
        if outcome:
            raise outcome

    publisher = publisher or MemoryPublisher()
    return answer_push(request(body), work, topic="feed-minutes", publisher=lambda: publisher)[1]


def test_a_handler_is_a_plain_function_that_reads_the_message() -> None:
    """The handler keeps the function's name, by which the framework finds it.

    An unreadable message never reaches the function.
    """
    publisher = MemoryPublisher()
    done: list[MinuteRequested] = []

    @push_handler(minute_requested, lambda: publisher)
    def download(asked: MinuteRequested) -> None:
        done.append(asked)

    assert (isfunction(download), download.__name__) == (True, "download")
    assert [download(request(push(data)))[1] for data in (BODY, b"{")] == [204, 204]
    assert [asked.feed for asked in done] == ["domains"]
    [dead] = publisher.published["feed-minutes-dead"]
    assert (dead.body, "cannot be read" in dead.attributes["reason"]) == (b"{", True)


def test_what_returns_is_acked() -> None:
    """A function that returns gives 204."""
    assert answer(push()) == 204


@pytest.mark.parametrize("outcome", [Retryable("later"), RuntimeError("unforeseen"), KeyError("x")])
def test_what_raises_is_nacked(outcome: Exception) -> None:
    """Any exception gives 500, expected or not, and no dead letter."""
    publisher = MemoryPublisher()
    assert answer(push(), outcome, publisher) == 500
    assert not publisher.published


def test_a_caller_is_not_told_what_went_wrong_inside() -> None:
    """The response to a failure says that the message will be redelivered, without the reason."""

    def work(_: Delivery) -> None:
        raise RuntimeError("the inside: k3y")

    body, status = answer_push(request(push()), work, topic="feed-minutes", publisher=MemoryPublisher)
    assert (body, status) == ("to be delivered again\n", 500)


def test_poison_is_recorded_and_acked() -> None:
    """The dead letter keeps body and attributes and gains error type, reason, subscription, count and message id."""
    publisher = MemoryPublisher()
    assert answer(push(attributes={"feed": "domains"}), Poison("request_refused", "never"), publisher) == 204
    [dead] = publisher.published["feed-minutes-dead"]
    assert dead.body == BODY
    assert dead.attributes == {
        "feed": "domains",
        "error_type": "request_refused",
        "reason": "never",
        "CloudPubSubDeadLetterSourceSubscription": "downloader",
        "CloudPubSubDeadLetterSourceDeliveryCount": "3",
        "source_message_id": "17",
    }


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Retryable("the source is on fire"), "Retryable: the source is on fire"),
        (KeyError("k3y"), "unexpected KeyError"),
    ],
)
def test_the_last_delivery_that_fails_says_why(outcome: Exception, error: str) -> None:
    """Pub/Sub gives a message up without a reason, so the last failure is recorded.

    Earlier ones are only redelivered.
    """
    publisher = MemoryPublisher()

    def work(_: Delivery) -> None:
        raise outcome

    def deliver(attempt: int) -> int:
        body = {**push(), "deliveryAttempt": attempt}
        return answer_push(request(body), work, topic="feed-minutes", publisher=lambda: publisher, max_attempts=5)[1]

    assert [deliver(attempt) for attempt in (1, 4)] == [500, 500]
    assert not publisher.published
    assert deliver(5) == 204
    [dead] = publisher.published["feed-minutes-dead"]
    assert dead.attributes["error_type"] == "attempts_spent"
    assert dead.attributes["reason"] == f"attempts spent: 5 deliveries by downloader; the last error: {error}"
    publisher.fail_with = Retryable("no Pub/Sub")
    assert deliver(6) == 500


def test_poison_that_cannot_be_recorded_is_not_acked() -> None:
    """If the record cannot be published, the message is redelivered."""
    publisher = MemoryPublisher()
    publisher.fail_with = Retryable("no Pub/Sub")
    assert answer(push(), Poison("request_refused", "never"), publisher) == 500


def test_a_long_reason_is_cut_to_what_an_attribute_holds() -> None:
    """A reason longer than 1024 bytes is truncated between characters."""
    publisher = MemoryPublisher()
    answer(push(), Poison("request_refused", "é" * 2000), publisher)
    [dead] = publisher.published["feed-minutes-dead"]
    assert dead.attributes["reason"] == "é" * 512


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        [],
        {},
        {"message": {}},
        {"message": {"messageId": "1"}},
        {"message": {"messageId": "1", "data": "%%%"}, "subscription": "s"},
        {"message": {"messageId": "1", "data": 5}, "subscription": "s"},
        {"message": {"messageId": "1", "attributes": {"a": 1}}, "subscription": "s"},
    ],
)
def test_what_is_no_push_is_refused(body: object) -> None:
    """A body that is not a push gets 400 and reaches no function."""
    assert answer(body, RuntimeError("must not be reached")) == 400


@given(st.binary(max_size=300))
def test_no_body_breaks_the_envelope(body: bytes) -> None:
    """Arbitrary bytes are refused with NotAPush, never with another exception."""
    with pytest.raises(NotAPush):
        read_delivery(body)


def test_the_envelope_keeps_what_a_framework_would_drop() -> None:
    """Delivery attempt, ordering key and subscription are kept; snake_case names are read too."""
    delivery = read_delivery(json.dumps(push(orderingKey="k", publishTime="t")).encode())
    assert (delivery.attempt, delivery.message.ordering_key, delivery.message.publish_time) == (3, "k", "t")
    twin = read_delivery(b'{"message": {"message_id": "1"}, "subscription": "s"}')
    assert (twin.message.message_id, twin.message.data, twin.attempt) == ("1", b"", 0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "has no body"),
        (b"{", "cannot be read"),
        (b'{"feed":"domains"}', "minute: missing"),
        (b'{"feed":"domains","minute":"2026-11-21T14:10:30Z"}', "not a whole UTC minute"),
        (b'{"feed":"../etc","minute":"2026-11-21T14:10Z"}', "feed: String should match pattern"),
        (b'{"feed":"domains","minute":"2026-11-21T14:10Z","reason":7}', "reason: Input should be"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_message_that_cannot_be_read_is_poison(data: bytes, reason: str) -> None:
    """The reason has the place and the value."""
    delivery = read_delivery(json.dumps(push(data)).encode())
    with pytest.raises(Poison, match=reason):
        read_message(minute_requested, delivery)


def test_a_reason_that_nobody_knows_is_taken_as_text() -> None:
    """An operator may publish by hand with any reason; the minute is requested."""
    body = b'{"feed":"domains","minute":"2026-11-21T14:10:00Z","reason":"manual"}'
    request = read_message(minute_requested, read_delivery(json.dumps(push(body)).encode()))
    assert (request.feed, request.reason) == ("domains", "manual")


def test_a_message_published_by_hand_needs_feed_and_minute_only() -> None:
    """Reason and force have defaults, and fields of a later version are ignored."""
    data = b'{"feed":"domains","minute":"2026-11-21T14:10Z","later":1}'
    message = read_message(minute_requested, read_delivery(json.dumps(push(data)).encode()))
    assert (message.reason, message.force) == ("replay", False)
    assert message.body == b'{"feed":"domains","minute":"2026-11-21T14:10:00Z","reason":"replay","force":false}'
    assert message.attributes == {"feed": "domains", "minute": "2026-11-21T14:10:00Z"}
