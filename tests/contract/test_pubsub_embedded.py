"""Behaviour of the embedded Pub/Sub alone: where the official emulator differs from the real service, and faults."""

import json
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import SHUT_RDWR, socket
from threading import Event
from time import monotonic

import pytest
import requests
from google.api_core.exceptions import DeadlineExceeded, InvalidArgument, MethodNotImplemented, ServiceUnavailable
from google.pubsub_v1.types import DeadLetterPolicy, PubsubMessage, PushConfig, RetryPolicy, Subscription

from infra.local.pubsub_server.catalog import Resource
from infra.local.pubsub_server.faults import Rule
from infra.local.pubsub_server.push import PushEndpoint
from tests.contract.pubsub_servers import PubSub, serving, start
from tests.support.pubsub import receiver
from tests.support.pubsub_control import PubSubControl
from tests.support.waiting import PATIENCE, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PubSub]:
    """Run a server for all tests; each uses its own topics."""
    folder = tmp_path_factory.mktemp("embedded")
    part, ports = start("embedded", folder)
    with serving(part, folder, ports) as found:
        yield found


@pytest.fixture
def control(server: PubSub) -> Iterator[PubSubControl]:
    """Set the server's faults, and remove them after the test."""
    found = PubSubControl(server.control)
    yield found
    found.set_faults()


def short(name: str) -> str:
    """Return the last part of a name."""
    return name.rpartition("/")[2]


def test_a_filter_keeps_out_what_does_not_match(server: PubSub) -> None:
    """Messages that do not match a filter are acknowledged for that subscription, and others get them."""
    topic = server.topic()
    domains = server.subscribe(topic, filter='attributes.feed = "domains"')
    every = server.subscribe(topic)
    server.publish(topic, "one", feed="domains")
    server.publish(topic, "two", feed="files")
    assert server.texts(domains) == ["one"]
    assert server.texts(every) == ["one", "two"]
    with pytest.raises(InvalidArgument, match="filter"):
        server.subscribe(topic, filter="feed is domains")


def test_attempts_are_counted_with_a_dead_letter_policy_and_only_then(server: PubSub) -> None:
    """Pull and push deliver the attempt count with a dead-letter policy, and only then."""
    dead, topic = server.topic(), server.topic()
    pulled = server.subscribe(topic, dead_letter_policy=DeadLetterPolicy(dead_letter_topic=dead))
    plain = server.subscribe(topic)
    statuses = iter([500, 500])
    with receiver(lambda _: next(statuses, 204)) as endpoint:
        policy = DeadLetterPolicy(dead_letter_topic=dead, max_delivery_attempts=5)
        server.subscribe(topic, push_config=PushConfig(push_endpoint=endpoint.url), dead_letter_policy=policy)
        server.publish(topic, "counted")
        wait_until(lambda: len(endpoint.got) == 3, "three pushes")
    assert [body["deliveryAttempt"] for body in endpoint.got] == [1, 2, 3]
    for expected in (1, 2):
        [received] = server.pull(pulled)
        assert received.delivery_attempt == expected
        ids = [received.ack_id]
        server.subscriber.modify_ack_deadline(subscription=pulled, ack_ids=ids, ack_deadline_seconds=0)
    assert [received.delivery_attempt for received in server.pull(plain)] == [0]


def test_under_a_retry_policy_nothing_is_lost(server: PubSub) -> None:
    """Sixteen messages, each refused twice, all arrive; the official emulator loses some of them."""
    topic = server.topic()
    names = [f"message {number}" for number in range(16)]
    seen: dict[str, int] = {}

    def refuse_twice(text: str) -> int:
        seen[text] = seen.get(text, 0) + 1
        return 500 if seen[text] <= 2 else 204

    with receiver(refuse_twice) as endpoint:
        retry = RetryPolicy(minimum_backoff={"seconds": 0}, maximum_backoff={"seconds": 1})
        server.subscribe(topic, push_config=PushConfig(push_endpoint=endpoint.url), retry_policy=retry)
        server.publish(topic, *names)
        wait_until(lambda: set(seen.values()) == {3} and set(seen) == set(names), "every third delivery")


def test_a_refused_message_waits_as_its_policy_says(server: PubSub) -> None:
    """The retry delay doubles from the minimum: a refused message becomes available only after the delay."""
    topic = server.topic()
    retry = RetryPolicy(minimum_backoff={"seconds": 1}, maximum_backoff={"seconds": 600})
    subscription = server.subscribe(topic, retry_policy=retry)
    server.publish(topic, "later")
    [received] = server.pull(subscription)
    ids, refused = [received.ack_id], monotonic()
    server.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=ids, ack_deadline_seconds=0)
    assert server.collect(subscription, 1) == ["later"]
    assert monotonic() - refused >= 1.0


def test_a_push_without_data_or_attributes_leaves_them_out(server: PubSub) -> None:
    """A push leaves out empty data and attributes, as Cloud Pub/Sub does; the official emulator sends an empty text."""
    topic = server.topic()
    with receiver() as endpoint:
        server.subscribe(topic, push_config=PushConfig(push_endpoint=endpoint.url))
        server.publisher.publish(topic=topic, messages=[PubsubMessage(attributes={"feed": "domains"})])
        server.publish(topic, "bare")
        wait_until(lambda: len(endpoint.got) == 2, "two pushes")
    fields = {frozenset(body["message"]) & {"data", "attributes"} for body in endpoint.got}
    assert fields == {frozenset({"attributes"}), frozenset({"data"})}
    assert all("deliveryAttempt" not in body for body in endpoint.got)


def test_pushes_go_out_side_by_side(server: PubSub) -> None:
    """By default eight requests run at once: all of them wait before the first is answered."""
    topic = server.topic()
    waiting: list[str] = []

    def answer_when_eight_wait(text: str) -> int:
        waiting.append(text)
        wait_until(lambda: len(waiting) >= 8, "eight requests at once")
        return 204

    with receiver(answer_when_eight_wait) as endpoint:
        server.subscribe(topic, push_config=PushConfig(push_endpoint=endpoint.url))
        server.publish(topic, *(str(number) for number in range(8)))
        wait_until(lambda: len(waiting) == 8, "eight requests at once")


def test_a_backlog_is_pushed_although_its_topic_is_gone(server: PubSub) -> None:
    """A subscription delivers its backlog after its topic was deleted."""
    topic = server.topic()
    gone = Event()
    with receiver(lambda _: 204 if gone.is_set() else 503) as endpoint:
        subscription = server.subscribe(topic, push_config=PushConfig(push_endpoint=endpoint.url))
        server.publish(topic, "left behind")
        wait_until(lambda: len(endpoint.got) > 0, "a refused push")
        server.publisher.delete_topic(topic=topic)
        gone.set()
        control = PubSubControl(server.control)
        wait_until(lambda: control.backlog()[subscription].messages == 0, "an accepted push")


def test_an_answer_after_the_deadline_is_none() -> None:
    """The ack deadline is the timeout of a push; its connection is not used again."""
    asked, may_answer = Event(), Event()

    def late(text: str) -> int:
        asked.set()
        if text == "late":
            may_answer.wait(PATIENCE)
        return 204

    with receiver(late) as endpoint:
        line = endpoint_at(endpoint.url)
        assert line.post(push_of("late")) is None
        assert asked.is_set()
        assert line.post(push_of("in time")) == 204
        may_answer.set()


def test_an_endpoint_may_close_an_idle_connection() -> None:
    """A push over a closed connection opens a new one without a nack; an endpoint that is gone is a nack."""
    with receiver() as endpoint:
        line = endpoint_at(endpoint.url)
        assert line.post(push_of("first")) == 204
        idle = line.connections.connection_from_url(endpoint.url).pool
        assert idle
        idle.queue[-1].sock.shutdown(SHUT_RDWR)
        assert line.post(push_of("second")) == 204
        line.connections.clear()
    assert line.post(push_of("third")) is None


def endpoint_at(url: str) -> PushEndpoint:
    """Return an endpoint that takes up to three seconds to answer."""
    config = Subscription.pb(Subscription(push_config={"push_endpoint": url}, ack_deadline_seconds=3))
    return PushEndpoint(Resource(1, config, lambda _: True))


def push_of(text: str) -> bytes:
    """Return the body of a push."""
    return json.dumps({"message": {"data": b64encode(text.encode()).decode()}}).encode()


def test_what_one_machine_does_not_have_is_said(server: PubSub) -> None:
    """Snapshots and exactly-once delivery are refused as unimplemented; limits are the real service's."""
    topic = server.topic(message_retention_duration={"seconds": 31 * 86400})
    subscription = server.subscribe(topic, message_retention_duration={"seconds": 31 * 86400})
    with pytest.raises(MethodNotImplemented):
        server.subscriber.create_snapshot(name="projects/contract/snapshots/one", subscription=subscription)
    with pytest.raises(MethodNotImplemented, match="enable_exactly_once_delivery"):
        server.subscribe(topic, enable_exactly_once_delivery=True)
    for wrong in ({"ack_deadline_seconds": 9}, {"message_retention_duration": {"seconds": 599}}):
        with pytest.raises(InvalidArgument, match="must be between"):
            server.subscribe(topic, **wrong)


def test_a_killed_server_has_lost_nothing(tmp_path: Path) -> None:
    """After kill -9 topics, subscriptions and backlog are there, and acknowledged messages stay acknowledged."""
    part, ports = start("embedded", tmp_path)
    with serving(part, tmp_path, ports) as before:
        topic = before.topic()
        subscription = before.subscribe(topic)
        before.publish(topic, *(str(number) for number in range(500)))
        done = [message.ack_id for message in before.pull(subscription, 100)]
        before.subscriber.acknowledge(subscription=subscription, ack_ids=done)
        before.pull(subscription, 100)
    with serving(part, tmp_path, ports) as after:
        # Leases ended with the server that gave them.
        assert sorted(after.collect(subscription, 400), key=int) == [str(number) for number in range(100, 500)]
        after.publish(topic, "and on")
        assert after.texts(subscription) == ["and on"]


def test_a_delivery_that_cannot_go_on_ends_the_server(tmp_path: Path) -> None:
    """An error in a delivery thread ends the server; otherwise its subscription would silently get nothing."""
    part, ports = start("embedded", tmp_path)
    with serving(part, tmp_path, ports) as server:
        server.subscribe(server.topic(), push_config=PushConfig(push_endpoint="http://127.0.0.1:1/"))
        with closing(sqlite3.connect(tmp_path / "pubsub" / "backlog.sqlite")) as file, file:
            file.execute("DROP TABLE deliveries")
        wait_until(lambda: not is_listened_to(ports[1]), "the end of the server")
    assert "no such table: deliveries" in (tmp_path / "pubsub.log").read_text(encoding="utf-8")


def is_listened_to(port: int) -> bool:
    """Return whether a server listens on a port of this machine."""
    with socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def test_a_publish_whose_answer_is_dropped_counts(server: PubSub, control: PubSubControl) -> None:
    """After a lost response the caller retries, and the message is stored twice under two ids."""
    topic = server.topic()
    subscription = server.subscribe(topic)
    control.set_faults(Rule(kind="drop_answer", name=short(topic), times=1))
    with pytest.raises(ServiceUnavailable):
        server.publisher.publish(topic=topic, messages=[PubsubMessage(data=b"once")], retry=None)
    server.publish(topic, "once")
    assert server.texts(subscription) == ["once", "once"]


def test_calls_are_refused_with_a_status_and_do_nothing(server: PubSub, control: PubSubControl) -> None:
    """A number of calls of a method fail as set; the next one succeeds."""
    topic = server.topic()
    subscription = server.subscribe(topic)
    control.set_faults(Rule(kind="refuse", method="Publish", times=2, code="DEADLINE_EXCEEDED"))
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            server.publisher.publish(topic=topic, messages=[PubsubMessage(data=b"x")], retry=None)
    server.publish(topic, "through")
    assert server.texts(subscription) == ["through"]


def test_a_duplicate_comes_again_although_it_was_acknowledged(server: PubSub, control: PubSubControl) -> None:
    """A duplicated message is delivered twice under one id, although it was acknowledged."""
    topic = server.topic()
    with receiver() as endpoint:
        subscription = server.subscribe(topic, push_config=PushConfig(push_endpoint=endpoint.url))
        control.set_faults(Rule(kind="duplicate", name=short(subscription), times=1))
        [number] = server.publish(topic, "twice")
        wait_until(lambda: len(endpoint.got) == 2, "the duplicate")
        wait_until(lambda: control.backlog()[subscription].messages == 0, "the second acknowledgement")
    assert [body["message"]["messageId"] for body in endpoint.got] == [number, number]


def test_a_frozen_subscription_delivers_nothing(server: PubSub, control: PubSubControl) -> None:
    """A frozen subscription keeps its backlog and delivers it once the fault is removed."""
    topic = server.topic()
    subscription = server.subscribe(topic)
    control.set_faults(Rule(kind="freeze", name=short(subscription)))
    server.publish(topic, "kept")
    assert server.texts(subscription) == []
    assert control.backlog()[subscription].messages == 1
    control.set_faults()
    assert server.texts(subscription) == ["kept"]


def test_a_reordered_subscription_delivers_its_newest_first(server: PubSub, control: PubSubControl) -> None:
    """A reordered subscription delivers its newest message first."""
    topic = server.topic()
    subscription = server.subscribe(topic)
    control.set_faults(Rule(kind="reorder", name=short(subscription)))
    for text in ("first", "second", "third"):
        server.publish(topic, text)
    assert server.texts(subscription) == ["third", "second", "first"]


def test_a_delayed_message_is_overtaken(server: PubSub, control: PubSubControl) -> None:
    """A delayed message arrives after the others."""
    topic = server.topic()
    subscription = server.subscribe(topic)
    control.set_faults(Rule(kind="delay", name=short(subscription), seconds=1.0, times=1))
    server.publish(topic, "delayed", "prompt")
    assert server.collect(subscription, 2) == ["prompt", "delayed"]


def test_a_wrong_fault_is_refused(server: PubSub) -> None:
    """An invalid fault is refused with an error that names it, and the server keeps running."""
    answer = requests.put(f"{server.control}/control/faults", json=[{"kind": "earthquake"}], timeout=PATIENCE)
    assert (answer.status_code, "kind" in answer.json()["error"]) == (400, True)
