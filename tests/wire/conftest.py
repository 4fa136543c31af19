"""Fixtures of the wire tests.

Topics, an environment, and a client of an entry point as functions-framework serves it.
"""

import base64
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import functions_framework
import pytest
from flask.testing import FlaskClient
from google.api_core.exceptions import AlreadyExists
from google.cloud.pubsub_v1.publisher.client import Client as PublisherClient
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from infra.endpoints import Endpoints
from tests.support.paths import REPOSITORY
from tests.support.waiting import PATIENCE
from tests.support.warehouse import Warehouse, provisioned

TOPICS = ("feed-minutes", "feed-minutes-dead", "minutes-landed", "minutes-landed-dead", "ioc-pages", "ioc-pages-dead")
# The example of the W3C's recommendation.
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Open = Callable[[str, str], FlaskClient]
Pull = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def wired(emulators: Endpoints, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoints]:
    """Yield a service's environment for a mesh on the emulators, with every topic and a subscription to each."""
    monkeypatch.chdir(tmp_path)
    for name, value in emulators.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOG_FORMAT", "text")
    publisher = PublisherClient()
    with SubscriberClient() as subscriber:
        for topic in TOPICS:
            path = publisher.topic_path(emulators.project, topic)
            try:
                publisher.create_topic(name=path, timeout=PATIENCE)
            except AlreadyExists:
                publisher.delete_topic(topic=path, timeout=PATIENCE)
                publisher.create_topic(name=path, timeout=PATIENCE)
            subscription = subscriber.subscription_path(emulators.project, f"{topic}-read")
            subscriber.create_subscription(name=subscription, topic=path, timeout=PATIENCE)
        yield emulators
        for topic in TOPICS:
            subscriber.delete_subscription(
                subscription=subscriber.subscription_path(emulators.project, f"{topic}-read"), timeout=PATIENCE
            )
            publisher.delete_topic(topic=publisher.topic_path(emulators.project, topic), timeout=PATIENCE)
    publisher.stop()


@pytest.fixture(scope="module")
def shared_warehouse(emulators: Endpoints) -> Iterator[Warehouse]:
    """Provision once for this module."""
    with provisioned(emulators) as warehouse:
        yield warehouse


@pytest.fixture
def warehouse(wired: Endpoints, shared_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Return an empty warehouse that the service finds by its environment."""
    del wired
    shared_warehouse.clear()
    monkeypatch.setenv("BQ_DATASET", shared_warehouse.dataset)
    return shared_warehouse


@pytest.fixture
def open_service() -> Open:
    """Return a client of an entry point: its folder under services, and its target."""

    def opened(service: str, target: str) -> FlaskClient:
        source = REPOSITORY / "services" / service / "main.py"
        client: FlaskClient = functions_framework.create_app(target, str(source)).test_client()  # type: ignore[no-untyped-call]
        return client

    return opened


@pytest.fixture
def pull(wired: Endpoints) -> Iterator[Pull]:
    """Read all messages of a topic: body (parsed if it is JSON) and attributes."""
    with SubscriberClient() as subscriber:

        def pulled(topic: str) -> list[dict[str, Any]]:
            path = subscriber.subscription_path(wired.project, f"{topic}-read")
            with warnings.catch_warnings():
                # Deprecated, and the only way not to wait for minutes on a subscription that is rightly empty.
                warnings.simplefilter("ignore", DeprecationWarning)
                answer = subscriber.pull(
                    subscription=path, max_messages=1000, return_immediately=True, timeout=PATIENCE
                )
            if answer.received_messages:
                ids = [received.ack_id for received in answer.received_messages]
                subscriber.acknowledge(subscription=path, ack_ids=ids, timeout=PATIENCE)
            return [
                {"body": _json(received.message.data), "attributes": dict(received.message.attributes)}
                for received in answer.received_messages
            ]

        yield pulled


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return data


def envelope(body: object, attempt: int = 1, **attributes: str) -> dict[str, Any]:
    """Return a push as Pub/Sub sends it."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {
        "message": {"data": base64.b64encode(data).decode(), "attributes": attributes, "messageId": "4711"},
        "subscription": "projects/p/subscriptions/test",
        "deliveryAttempt": attempt,
    }
