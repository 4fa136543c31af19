"""An in-memory Pub/Sub for dead letters: leases end when a test says so."""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from types import TracebackType
from typing import Self

from google.api_core.exceptions import DeadlineExceeded, GoogleAPICallError
from google.pubsub_v1.types import PubsubMessage, PullResponse, ReceivedMessage

from shared.operations.mesh import Mesh
from shared.runtime.settings import MeshSettings
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket, MemoryPublisher


class Subscriber:
    """The part of Google's client that commands use; `broken` names a subscription whose pulls fail."""

    def __init__(self, page: int = 500) -> None:
        self.waiting: dict[str, list[PubsubMessage]] = {}
        self.leased: dict[str, tuple[str, PubsubMessage]] = {}
        self.acked: list[PubsubMessage] = []
        self.broken: str | None = None
        self.fails: Exception | None = None
        self.extended: list[int] = []
        self.at_pull: Callable[[str], object] = lambda _: None
        self._page = page
        self._numbers = count(1)

    def __enter__(self) -> Self:
        """Be the client in a `with` block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Close nothing."""

    def add(self, topic: str, data: bytes = b"{}", at: datetime = NOON, **attributes: str) -> None:
        """Add a dead letter to a topic."""
        message = PubsubMessage(data=data, attributes=attributes, message_id=str(next(self._numbers)), publish_time=at)
        self.waiting.setdefault(f"{topic}-dead", []).append(message)

    def subscription_path(self, project: str, name: str) -> str:
        """Return the name alone."""
        del project
        return name

    def pull(self, *, subscription: str, max_messages: int, timeout: float) -> PullResponse:
        """Lease the waiting messages."""
        del timeout
        self.at_pull(subscription)
        if subscription == self.broken:
            raise _error("down")
        waiting = self.waiting.get(subscription, [])
        given, self.waiting[subscription] = waiting[: self._page], waiting[self._page :]
        if not given:
            raise DeadlineExceeded("empty")  # type: ignore[no-untyped-call]
        assert len(given) <= max_messages
        return PullResponse(received_messages=[self._lease(subscription, message) for message in given])

    def _lease(self, subscription: str, message: PubsubMessage) -> ReceivedMessage:
        ack_id = f"{subscription}-{next(self._numbers)}"
        self.leased[ack_id] = (subscription, message)
        return ReceivedMessage(ack_id=ack_id, message=message)

    def modify_ack_deadline(
        self, *, subscription: str, ack_ids: list[str], ack_deadline_seconds: int, timeout: float
    ) -> None:
        """Extend leases, or end them."""
        del timeout
        if self.fails:
            raise self.fails
        if ack_deadline_seconds:
            self.extended.append(len(ack_ids))
            return
        self.end_leases(subscription, ack_ids)

    def end_leases(self, subscription: str, ack_ids: list[str] | None = None) -> None:
        """End leases: their messages wait again."""
        for ack_id, (name, message) in list(self.leased.items()):
            if name == subscription and (ack_ids is None or ack_id in ack_ids):
                del self.leased[ack_id]
                self.waiting[name].append(message)

    def acknowledge(self, *, subscription: str, ack_ids: list[str], timeout: float) -> None:
        """Acknowledge messages."""
        del timeout
        for ack_id in ack_ids:
            name, message = self.leased.pop(ack_id)
            assert name == subscription
            self.acked.append(message)

    @property
    def left(self) -> int:
        """The number of letters that another command would find."""
        return sum(len(messages) for messages in self.waiting.values())


def _error(text: str) -> GoogleAPICallError:
    return GoogleAPICallError(text)  # type: ignore[no-untyped-call]


def memory_mesh(prefix: str = "") -> tuple[Mesh, MemoryBucket, MemoryPublisher]:
    """Return a mesh whose bucket and publisher are in memory."""
    mesh = Mesh(MeshSettings(GCP_PROJECT="p", LANDING_BUCKET="landing", NAME_PREFIX=prefix))
    bucket, publisher = MemoryBucket(), MemoryPublisher()
    # Where cached_property keeps them.
    mesh.__dict__.update(bucket=bucket, publisher=publisher)
    return mesh, bucket, publisher
