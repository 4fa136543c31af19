"""One suite for the two Pub/Sub servers of a local mesh, for all behaviour on which the mesh relies."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound
from google.cloud.pubsub_v1.subscriber.client import Client as StreamingClient
from google.cloud.pubsub_v1.subscriber.message import Message
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import DeadLetterPolicy, PushConfig

from tests.contract.pubsub_servers import PubSub, serving, start
from tests.support.pubsub import receiver
from tests.support.waiting import PATIENCE, wait_until


@pytest.fixture(scope="module", params=["embedded", "official"])
def pubsub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PubSub]:
    """Run a server for the whole suite; each test uses its own topics."""
    if request.param == "official":
        request.getfixturevalue("official_emulator")
    folder = tmp_path_factory.mktemp(request.param)
    part, ports = start(request.param, folder)
    with serving(part, folder, ports) as found:
        yield found


def test_a_message_arrives_as_it_was_sent(pubsub: PubSub) -> None:
    """Body, attributes and key come from the publisher; id and time from the server."""
    topic = pubsub.topic()
    subscription = pubsub.subscribe(topic)
    before = datetime.now(UTC) - timedelta(seconds=1)
    [number] = pubsub.publish(topic, "a minute", feed="domains", ordering_key="k")
    [received] = pubsub.pull(subscription)
    message = received.message
    assert (message.data, dict(message.attributes), message.ordering_key) == (b"a minute", {"feed": "domains"}, "k")
    assert message.message_id == number
    assert before < message.publish_time < datetime.now(UTC) + timedelta(seconds=1)


def test_every_subscription_gets_what_was_published_since_it_was_made(pubsub: PubSub) -> None:
    """Each subscription has its own backlog, which begins when it is created."""
    topic = pubsub.topic()
    first = pubsub.subscribe(topic)
    pubsub.publish(topic, "early")
    second = pubsub.subscribe(topic)
    pubsub.publish(topic, "late")
    assert sorted(pubsub.texts(first)) == ["early", "late"]
    assert pubsub.texts(second) == ["late"]


def test_a_batch_has_as_many_ids_as_messages(pubsub: PubSub) -> None:
    """A request with 1,000 messages is stored as a whole; one with 1,001, or with an empty message, is refused."""
    topic = pubsub.topic()
    subscription = pubsub.subscribe(topic)
    ids = pubsub.publish(topic, *(str(number) for number in range(1000)))
    assert len(set(ids)) == 1000
    assert len(set(pubsub.collect(subscription, 1000))) == 1000
    with pytest.raises(InvalidArgument):
        pubsub.publish(topic, *("x" for _ in range(1001)))
    with pytest.raises(InvalidArgument):
        pubsub.publish(topic, "")


def test_what_is_acknowledged_is_gone(pubsub: PubSub) -> None:
    """An acknowledged message is not redelivered after its deadline or after a second acknowledgement."""
    topic = pubsub.topic()
    subscription = pubsub.subscribe(topic)
    pubsub.publish(topic, "once")
    [received] = pubsub.pull(subscription)
    for _ in range(2):
        pubsub.subscriber.acknowledge(subscription=subscription, ack_ids=[received.ack_id])
    with pytest.raises(InvalidArgument):
        pubsub.subscriber.acknowledge(subscription=subscription, ack_ids=["made up"])
    assert pubsub.pull(subscription) == []


def test_a_leased_message_is_nobody_elses_until_it_is_given_back(pubsub: PubSub) -> None:
    """A deadline of 0 is a nack: the message is available again at once."""
    topic = pubsub.topic()
    subscription = pubsub.subscribe(topic)
    pubsub.publish(topic, "again")
    [received] = pubsub.pull(subscription)
    assert pubsub.pull(subscription) == []
    pubsub.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=[received.ack_id], ack_deadline_seconds=0)
    wait_until(lambda: pubsub.texts(subscription) == ["again"], "the message that was given back")


def test_a_deadline_that_passes_is_a_nack(pubsub: PubSub) -> None:
    """A message whose lease is shortened to a second is redelivered when the lease ends."""
    topic = pubsub.topic()
    subscription = pubsub.subscribe(topic)
    pubsub.publish(topic, "slow")
    [received] = pubsub.pull(subscription)
    pubsub.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=[received.ack_id], ack_deadline_seconds=1)
    wait_until(lambda: pubsub.texts(subscription) == ["slow"], "the message whose deadline passed")


def test_a_stream_gets_everything_once(pubsub: PubSub) -> None:
    """Google's high-level client receives several batches of messages exactly once."""
    topic = pubsub.topic()
    subscription = pubsub.subscribe(topic)
    pubsub.publish(topic, *(str(number) for number in range(300)))
    got: list[str] = []

    def take(message: Message) -> None:
        got.append(message.data.decode())
        message.ack()

    channel = grpc.insecure_channel(pubsub.address, options=[("grpc.enable_http_proxy", 0)])
    client = StreamingClient(transport=SubscriberGrpcTransport(channel=channel))
    stream = client.subscribe(subscription, take)
    wait_until(lambda: len(got) >= 300, "300 messages")
    stream.cancel()
    stream.result(timeout=PATIENCE)
    client.close()
    assert sorted(got, key=int) == [str(number) for number in range(300)]
    assert pubsub.pull(subscription) == []


def test_a_push_carries_the_envelope(pubsub: PubSub) -> None:
    """The body names message, id, time and subscription as Cloud Pub/Sub's does, and 204 acknowledges it."""
    topic = pubsub.topic()
    with receiver() as endpoint:
        subscription = pubsub.subscribe(topic, push_config=PushConfig(push_endpoint=endpoint.url))
        [number] = pubsub.publish(topic, "pushed", feed="domains")
        wait_until(lambda: endpoint.texts == ["pushed"], "the push")
    [body] = endpoint.got
    message = body["message"]
    assert body["subscription"] == subscription
    assert message["attributes"] == {"feed": "domains"}
    assert message["messageId"] == message["message_id"] == number
    assert datetime.fromisoformat(message["publishTime"]) == datetime.fromisoformat(message["publish_time"])


def test_a_refused_push_comes_again(pubsub: PubSub) -> None:
    """Any other status, or no response, is a nack; other messages are not delayed for good."""
    topic = pubsub.topic()
    refusals = iter([500, 429, 302])
    with receiver(lambda text: next(refusals, 204) if text == "hard" else 200) as endpoint:
        pubsub.subscribe(topic, push_config=PushConfig(push_endpoint=endpoint.url))
        pubsub.publish(topic, "hard", "easy")
        wait_until(lambda: endpoint.texts.count("hard") == 4, "the fourth delivery")
    assert endpoint.texts.count("easy") == 1


def test_an_endpoint_can_be_changed_and_taken_away(pubsub: PubSub) -> None:
    """After ModifyPushConfig messages go to the new endpoint; without an endpoint they wait to be pulled."""
    topic = pubsub.topic()
    with receiver() as old, receiver() as new:
        subscription = pubsub.subscribe(topic, push_config=PushConfig(push_endpoint=old.url))
        pubsub.publish(topic, "to the old")
        wait_until(lambda: old.texts == ["to the old"], "the push to the old endpoint")
        pubsub.subscriber.modify_push_config(subscription=subscription, push_config=PushConfig(push_endpoint=new.url))
        pubsub.publish(topic, "to the new")
        wait_until(lambda: "to the new" in new.texts + old.texts, "the push to the new endpoint")
        pubsub.subscriber.modify_push_config(subscription=subscription, push_config=PushConfig())
    config = pubsub.subscriber.get_subscription(subscription=subscription).push_config
    assert config.push_endpoint == ""


def test_spent_attempts_go_to_the_dead_letter_topic(pubsub: PubSub) -> None:
    """After five refused pushes the message goes to the dead-letter topic, with attributes that name its origin."""
    dead, topic = pubsub.topic(), pubsub.topic()
    kept = pubsub.subscribe(dead)
    policy = DeadLetterPolicy(dead_letter_topic=dead, max_delivery_attempts=5)
    with receiver(lambda _: 500) as endpoint:
        push = PushConfig(push_endpoint=endpoint.url)
        subscription = pubsub.subscribe(topic, push_config=push, dead_letter_policy=policy)
        pubsub.publish(topic, "hopeless", feed="domains")
        found: list[dict[str, str]] = []
        wait_until(lambda: dead_letters(pubsub, kept, found), "the dead letter")
    assert endpoint.texts == ["hopeless"] * 5
    [attributes] = found
    published = attributes.pop("CloudPubSubDeadLetterSourceTopicPublishTime")
    assert datetime.now(UTC) - datetime.fromisoformat(published) < timedelta(minutes=10)
    assert attributes == {
        "feed": "domains",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": subscription.rpartition("/")[2],
        "CloudPubSubDeadLetterSourceSubscriptionProject": "contract",
    }


def dead_letters(pubsub: PubSub, kept: str, found: list[dict[str, str]]) -> bool:
    """Record the attributes of the available messages, and return whether there are any."""
    found += [dict(one.message.attributes) for one in pubsub.pull(kept)]
    return bool(found)


def test_seeking_back_brings_acknowledged_messages_again(pubsub: PubSub) -> None:
    """A seek replays what the topic or the subscription retains; a seek to now empties the backlog."""
    topic = pubsub.topic(message_retention_duration={"seconds": 600})
    subscription = pubsub.subscribe(topic, retain_acked_messages=True)
    start_of_time = datetime.now(UTC) - timedelta(minutes=5)
    pubsub.publish(topic, "first", "second")
    assert sorted(pubsub.texts(subscription)) == ["first", "second"]
    pubsub.subscriber.seek(request={"subscription": subscription, "time": start_of_time})
    assert sorted(pubsub.collect(subscription, 2)) == ["first", "second"]
    pubsub.publish(topic, "unwanted")
    future = datetime.now(UTC) + timedelta(seconds=1)
    pubsub.subscriber.seek(request={"subscription": subscription, "time": future})
    assert pubsub.pull(subscription) == []


def test_messages_of_one_key_arrive_in_order(pubsub: PubSub) -> None:
    """With ordering, a later message of a key is not delivered before an earlier one."""
    topic = pubsub.topic()
    subscription = pubsub.subscribe(topic, enable_message_ordering=True)
    pubsub.publish(topic, *(str(number) for number in range(5)), ordering_key="minute")
    assert pubsub.collect(subscription, 5) == ["0", "1", "2", "3", "4"]


def test_names_are_found_or_refused(pubsub: PubSub) -> None:
    """A name can be created once; every call on a missing resource answers NOT_FOUND."""
    topic = pubsub.topic()
    subscription = pubsub.subscribe(topic)
    with pytest.raises(AlreadyExists):
        pubsub.publisher.create_topic(name=topic)
    with pytest.raises(AlreadyExists):
        pubsub.subscriber.create_subscription(name=subscription, topic=topic)
    with pytest.raises(NotFound):
        pubsub.publish("projects/contract/topics/nowhere", "x")
    with pytest.raises(NotFound):
        pubsub.subscribe("projects/contract/topics/nowhere")
    with pytest.raises(NotFound):
        pubsub.pull("projects/contract/subscriptions/nowhere")
    assert topic in [one.name for one in pubsub.publisher.list_topics(project="projects/contract")]
    assert subscription in [one.name for one in pubsub.subscriber.list_subscriptions(project="projects/contract")]
    assert list(pubsub.publisher.list_topic_subscriptions(topic=topic)) == [subscription]


def test_defaults_are_filled_in_and_fields_updated(pubsub: PubSub) -> None:
    """A subscription's fields describe its real behaviour; an update changes only the masked fields."""
    topic = pubsub.topic()
    subscription = pubsub.subscribe(topic, ack_deadline_seconds=0)
    made = pubsub.subscriber.get_subscription(subscription=subscription)
    assert (made.topic, made.ack_deadline_seconds) == (topic, 10)
    assert made.message_retention_duration == timedelta(days=7)
    made.ack_deadline_seconds = 77
    made.message_retention_duration = timedelta(hours=1)
    changed = pubsub.subscriber.update_subscription(
        request={"subscription": made, "update_mask": {"paths": ["ack_deadline_seconds"]}}
    )
    assert (changed.ack_deadline_seconds, changed.message_retention_duration) == (77, timedelta(days=7))


def test_what_is_deleted_is_gone(pubsub: PubSub) -> None:
    """A deleted topic takes no message; its subscription reports the deletion and keeps its backlog."""
    topic = pubsub.topic()
    subscription = pubsub.subscribe(topic)
    pubsub.publish(topic, "left behind")
    pubsub.publisher.delete_topic(topic=topic)
    with pytest.raises(NotFound):
        pubsub.publish(topic, "x")
    assert pubsub.subscriber.get_subscription(subscription=subscription).topic == "_deleted-topic_"
    assert pubsub.texts(subscription) == ["left behind"]
    pubsub.subscriber.delete_subscription(subscription=subscription)
    with pytest.raises(NotFound):
        pubsub.pull(subscription)
