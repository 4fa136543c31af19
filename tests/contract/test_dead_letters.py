"""Dead letters in the Pub/Sub emulator: read without loss, redriven, discarded."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from google.api_core.exceptions import AlreadyExists
from google.cloud.pubsub_v1.publisher.client import Client as PublisherClient
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from infra.endpoints import Endpoints
from shared.contracts.interfaces import Outgoing
from shared.operations.dead_letter_mailbox import mailbox, peek_dead_letters
from shared.operations.mesh import Mesh
from shared.runtime.settings import MeshSettings, read_settings
from tests.support.waiting import PATIENCE


@pytest.fixture
def mesh(emulators: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mesh]:
    """Return a mesh on the emulators in a project for this test."""
    for name, value in {**emulators.environment(), "GCP_PROJECT": f"p-{uuid4().hex[:12]}"}.items():
        monkeypatch.setenv(name, value)
    found = Mesh(read_settings(MeshSettings))
    client = PublisherClient()
    with SubscriberClient() as subscriber:
        for topic in ("feed-minutes", "feed-minutes-dead", "minutes-landed", "minutes-landed-dead"):
            path = client.topic_path(found.settings.project, topic)
            try:
                client.create_topic(name=path, timeout=PATIENCE)
            except AlreadyExists:
                pytest.fail("the project is not this test's own")
            name = subscriber.subscription_path(found.settings.project, topic)
            subscriber.create_subscription(name=name, topic=path, ack_deadline_seconds=30, timeout=PATIENCE)
    yield found
    client.stop()


def die(mesh: Mesh, number: int, reason: str = "never", **attributes: str) -> None:
    """Publish a dead letter as a service does for Poison."""
    mesh.publisher.publish(
        Outgoing(
            "feed-minutes-dead",
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
    )


def republished(mesh: Mesh) -> list[Outgoing]:
    """Return the messages of the topic of requests."""
    with SubscriberClient() as subscriber:
        path = subscriber.subscription_path(mesh.settings.project, "feed-minutes")
        answer = subscriber.pull(subscription=path, max_messages=100, timeout=PATIENCE)
    return [
        Outgoing("feed-minutes", one.message.data, dict(one.message.attributes)) for one in answer.received_messages
    ]


def test_looking_takes_nothing_out(mesh: Mesh) -> None:
    """Reading does not remove letters: two reads in a row return the same ones."""
    for number in range(3):
        die(mesh, number)
    assert sorted(letter.id for letter in peek_dead_letters(mesh)) == ["id-0", "id-1", "id-2"]
    assert sorted(letter.id for letter in peek_dead_letters(mesh)) == ["id-0", "id-1", "id-2"]


def test_a_redriven_letter_is_the_message_it_was(mesh: Mesh) -> None:
    """A redriven letter has the original body and attributes, and its redrive count is increased by one."""
    die(mesh, 1, redriven="2")
    with mailbox(mesh) as held:
        [letter] = held.letters
        held.redrive([letter])
    [message] = republished(mesh)
    assert json.loads(message.body) == {"feed": "domains", "number": 1}
    assert message.attributes == {"feed": "domains", "redriven": "3"}
    assert peek_dead_letters(mesh) == []


def test_a_redrive_that_fails_leaves_the_letter_where_it_was(mesh: Mesh) -> None:
    """If the original topic does not exist, nothing is acked."""
    die(mesh, 1)
    client = PublisherClient()
    client.delete_topic(topic=client.topic_path(mesh.settings.project, "feed-minutes"), timeout=PATIENCE)

    def redrive() -> None:
        with mailbox(mesh) as held:
            held.redrive(held.letters)

    with pytest.raises(Exception, match="does not exist"):
        redrive()
    assert [letter.id for letter in peek_dead_letters(mesh)] == ["id-1"]
    client.stop()


def test_a_discarded_letter_leaves_a_copy_in_the_bucket(mesh: Mesh) -> None:
    """The copy in the bucket has message, attributes and reason, and the letter is removed."""
    name = uuid4().hex
    die(mesh, 1, source_message_id=name)
    with mailbox(mesh) as held:
        [letter] = held.letters
        assert held.discard(held.letters) == 1
    stored = mesh.bucket.read(letter.archive_name)
    assert stored
    assert f"-dead/{name}-" in letter.archive_name
    copy = json.loads(stored.data)
    assert (copy["action"], copy["reason"], json.loads(copy["message"])["number"]) == ("discarded", "never", 1)
    assert peek_dead_letters(mesh) == []
