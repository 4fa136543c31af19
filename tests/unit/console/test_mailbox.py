"""Dead letters that are held are given back, whatever happens while they are."""

from types import TracebackType
from typing import Any, Self, cast

import pytest
from google.api_core.exceptions import DeadlineExceeded, ServiceUnavailable
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient
from google.pubsub_v1.types import PubsubMessage, PullResponse, ReceivedMessage

from services.console.dead_letters import mailbox
from services.console.mesh import Mesh
from shared.outcomes import Retryable
from shared.settings import MeshSettings


class Subscriber:
    """A subscriber with one letter in every subscription; a pull of `broken` fails."""

    def __init__(self, broken: str) -> None:
        self.held: set[str] = set()
        self.left = {"feed-minutes-dead", "minutes-landed-dead", "ioc-pages-dead"}
        self._broken = broken

    def __enter__(self) -> Self:
        """Be the client of a block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Close nothing."""

    def subscription_path(self, project: str, name: str) -> str:
        """Return the name alone."""
        del project
        return name

    def pull(self, *, subscription: str, **_: Any) -> PullResponse:
        """Give the letter of a subscription once."""
        if subscription == self._broken:
            raise ServiceUnavailable("down")  # type: ignore[no-untyped-call]
        if subscription not in self.left:
            raise DeadlineExceeded("empty")  # type: ignore[no-untyped-call]
        self.left.remove(subscription)
        self.held.add(subscription)
        message = PubsubMessage(data=b"{}", message_id="1")
        return PullResponse(received_messages=[ReceivedMessage(ack_id=subscription, message=message)])

    def modify_ack_deadline(self, *, ack_ids: list[str], ack_deadline_seconds: int, **_: Any) -> None:
        """Take letters back."""
        assert ack_deadline_seconds == 0
        self.held -= set(ack_ids)
        self.left |= set(ack_ids)


@pytest.mark.parametrize("broken", ["feed-minutes-dead", "minutes-landed-dead", "ioc-pages-dead"])
def test_letters_of_one_topic_go_back_when_another_cannot_be_read(broken: str) -> None:
    """Otherwise nobody would see them before their lease ran out."""
    subscriber = Subscriber(broken)
    mesh = Mesh(MeshSettings(GCP_PROJECT="p", LANDING_BUCKET="landing"), None)
    with (
        pytest.raises(Retryable, match="dead letters cannot be read: down"),
        mailbox(mesh, subscriber=lambda: cast("SubscriberClient", subscriber)),
    ):
        pytest.fail("there is nothing to look at")
    assert (subscriber.held, len(subscriber.left)) == (set(), 3)
