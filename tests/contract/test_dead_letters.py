"""Dead letters in the Pub/Sub emulator: read without loss, handed back, discarded."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from google.api_core.exceptions import AlreadyExists
from google.cloud.pubsub_v1.publisher.client import Client as PublisherClient
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from infra.local.endpoints import Endpoints
from services.console.dead_letters import Choice, DeadLetter, mailbox, peek_dead_letters
from services.console.mesh import Mesh
from shared.ports import Outgoing
from shared.settings import MeshSettings, read_settings


@pytest.fixture
def mesh(emulators: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mesh]:
    """Return a mesh on the emulators whose project is this test's own."""
    for name, value in {**emulators.environment(), "GCP_PROJECT": f"p-{uuid4().hex[:12]}"}.items():
        monkeypatch.setenv(name, value)
    found = Mesh(read_settings(MeshSettings), emulators)
    client = PublisherClient()
    with SubscriberClient() as subscriber:
        for topic in ("feed-minutes", "feed-minutes-dead", "minutes-landed", "minutes-landed-dead"):
            path = client.topic_path(found.settings.project, topic)
            try:
                client.create_topic(name=path, timeout=10)
            except AlreadyExists:
                pytest.fail("the project is not this test's own")
            name = subscriber.subscription_path(found.settings.project, topic)
            subscriber.create_subscription(name=name, topic=path, ack_deadline_seconds=30, timeout=10)
    yield found
    client.stop()


def die(mesh: Mesh, number: int, reason: str = "never", **attributes: str) -> None:
    """Publish a dead letter as a service that met Poison does."""
    mesh.publisher.publish(
        "feed-minutes-dead",
        [
            Outgoing(
                json.dumps({"feed": "domains", "number": number}).encode(),
                {
                    "feed": "domains",
                    "reason": reason,
                    "source_message_id": f"id-{number}",
                    "CloudPubSubDeadLetterSourceDeliveryCount": "3",
                    "CloudPubSubDeadLetterSourceSubscription": "downloader",
                    **attributes,
                },
            )
        ],
    )


def republished(mesh: Mesh) -> list[Outgoing]:
    """Return what the topic of requests got."""
    with SubscriberClient() as subscriber:
        path = subscriber.subscription_path(mesh.settings.project, "feed-minutes")
        answer = subscriber.pull(subscription=path, max_messages=100, timeout=10)
    return [Outgoing(one.message.data, dict(one.message.attributes)) for one in answer.received_messages]


def test_looking_takes_nothing_out(mesh: Mesh) -> None:
    """Two looks in a row see the same letters."""
    for number in range(3):
        die(mesh, number)
    assert sorted(letter.id for letter in peek_dead_letters(mesh)) == ["id-0", "id-1", "id-2"]
    assert sorted(letter.id for letter in peek_dead_letters(mesh)) == ["id-0", "id-1", "id-2"]


def test_a_redriven_letter_is_the_message_it_was(mesh: Mesh) -> None:
    """Body and attributes are those first published, and the count of returns is raised by one."""
    die(mesh, 1, redriven="2")
    with mailbox(mesh) as held:
        [letter] = held.letters
        held.redrive(letter)
    [message] = republished(mesh)
    assert json.loads(message.body) == {"feed": "domains", "number": 1}
    assert message.attributes == {"feed": "domains", "redriven": "3"}
    assert peek_dead_letters(mesh) == []


def test_a_redrive_that_fails_leaves_the_letter_where_it_was(mesh: Mesh) -> None:
    """Without the topic to hand it back to, nothing is acked."""
    die(mesh, 1)
    client = PublisherClient()
    client.delete_topic(topic=client.topic_path(mesh.settings.project, "feed-minutes"), timeout=10)

    def redrive() -> None:
        with mailbox(mesh) as held:
            held.redrive(held.letters[0])

    with pytest.raises(Exception, match="does not exist"):
        redrive()
    assert [letter.id for letter in peek_dead_letters(mesh)] == ["id-1"]
    client.stop()


def test_a_discarded_letter_leaves_a_copy_in_the_bucket(mesh: Mesh) -> None:
    """The copy has message, attributes and reason, and the letter is gone."""
    name = uuid4().hex
    die(mesh, 1, source_message_id=name)
    with mailbox(mesh) as held:
        held.discard(held.letters[0])
    stored = mesh.bucket.read(f"dead/feed-minutes-dead/{name}.json")
    assert stored
    copy = json.loads(stored.data)
    assert (copy["action"], copy["reason"], json.loads(copy["message"])["number"]) == ("discarded", "never", 1)
    assert peek_dead_letters(mesh) == []


def test_letters_are_chosen_by_id_by_reason_or_all() -> None:
    """A part of the reason is enough, in any case; without a choice nothing is meant."""
    letter = DeadLetter("feed-minutes", "id-1", b"", {"reason": "403: no Licence"}, "s", "a")
    assert Choice(ids=("id-1",)).wants(letter)
    assert Choice(reason="no licence").wants(letter)
    assert Choice(everything=True).wants(letter)
    assert not Choice(ids=("id-2",)).wants(letter)
    assert not Choice(reason="source changed").wants(letter)
    assert not Choice().wants(letter)
