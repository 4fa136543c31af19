"""google.pubsub.v1.Subscriber: one method per RPC. Lists have a single page."""

from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import grpc

from infra.local.pubsub_server import limits
from infra.local.pubsub_server.catalog import Resource
from infra.local.pubsub_server.leases import Leases
from infra.local.pubsub_server.push import Push
from infra.local.pubsub_server.rpc import (
    Context,
    FieldMask,
    Message,
    Refused,
    StreamingPullResponse,
    Subscription,
    seconds,
)

# A pull without messages returns after this long, and always before its caller's deadline: messages leased to a caller
# that is gone would be unavailable until the lease expires.
_MAX_PULL_SECONDS = 20.0
_PULL_MARGIN_SECONDS = 0.2
_STREAM_WAIT_SECONDS = 0.5
_MAX_MESSAGES = 1000


class Subscriber:
    """Each method takes the RPC's request and returns a message, its fields, or None for an empty response."""

    def __init__(self, leases: Leases, push: Push) -> None:
        self._leases, self._push = leases, push
        self._store, self._catalog = leases.store, leases.store.catalog

    def create_subscription(self, subscription: Message, _: Context) -> Message:
        """Create a subscription of an existing topic, and start pushing if it has an endpoint."""
        self._catalog.find(subscription.topic)
        limits.validate_subscription(subscription)
        created = self._catalog.create(subscription)
        self._push.start(created)
        return created.config

    def update_subscription(self, request: Message, _: Context) -> Message:
        """Change the fields that the mask names."""
        return self._update(request.subscription, request.update_mask)

    def modify_push_config(self, request: Message, _: Context) -> None:
        """Change the endpoint, or stop pushing."""
        changed = Subscription(name=request.subscription, push_config=request.push_config)
        self._update(changed, FieldMask(paths=["push_config"]))

    def _update(self, changed: Message, mask: Message) -> Message:
        subscription = self._catalog.merged(changed, mask)
        limits.validate_subscription(subscription)
        updated = self._catalog.store(subscription)
        self._push.start(updated)
        return updated.config

    def get_subscription(self, request: Message, _: Context) -> Message:
        """Return a subscription."""
        return self._catalog.find(request.subscription).config

    def list_subscriptions(self, request: Message, _: Context) -> dict[str, object]:
        """Return the subscriptions of a project."""
        return {"subscriptions": [one.config for one in self._catalog.subscriptions(request.project)]}

    def delete_subscription(self, request: Message, _: Context) -> None:
        """Delete a subscription with its backlog."""
        self._catalog.delete(request.subscription)

    def seek(self, request: Message, _: Context) -> None:
        """Move the subscription to a point in time."""
        if not request.HasField("time"):
            raise Refused("snapshots: not supported by the local server", grpc.StatusCode.UNIMPLEMENTED)
        self._store.seek(self._catalog.find(request.subscription), seconds(request.time))

    def pull(self, request: Message, context: Context) -> dict[str, object]:
        """Lease messages; wait for the first until the caller's deadline."""
        subscription = self._catalog.find(request.subscription)
        left = (context.time_remaining() or _MAX_PULL_SECONDS) - _PULL_MARGIN_SECONDS
        wait_seconds = 0.0 if request.return_immediately else min(left, _MAX_PULL_SECONDS)
        limit = min(request.max_messages, _MAX_MESSAGES)
        lease_seconds = subscription.config.ack_deadline_seconds
        return {"received_messages": self._leases.lease(subscription, limit, lease_seconds, wait_seconds)}

    def acknowledge(self, request: Message, _: Context) -> None:
        """Acknowledge messages."""
        self._leases.acknowledge(self._catalog.find(request.subscription), request.ack_ids)

    def modify_ack_deadline(self, request: Message, _: Context) -> None:
        """Extend leases, or nack with 0 seconds."""
        subscription = self._catalog.find(request.subscription)
        self._leases.modify_deadline(subscription, request.ack_ids, request.ack_deadline_seconds)

    def streaming_pull(self, requests: Iterator[Message], context: Context) -> Iterator[Message]:
        """Send messages as they arrive, within the client's limit of outstanding messages."""
        first = next(requests)
        subscription = self._catalog.get(first.subscription)
        if subscription is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "Resource not found")
        Thread(target=self._receive_acks, args=(subscription, requests), daemon=True).start()
        lease_seconds = first.stream_ack_deadline_seconds or subscription.config.ack_deadline_seconds
        max_outstanding = min(first.max_outstanding_messages or _MAX_MESSAGES, _MAX_MESSAGES)
        outstanding: set[str] = set()
        while context.is_active() and self._catalog.get(subscription.name):
            outstanding = self._leases.unexpired(subscription, outstanding)
            room = max_outstanding - len(outstanding)
            received = self._leases.lease(subscription, room, lease_seconds, _STREAM_WAIT_SECONDS)
            outstanding.update(one.ack_id for one in received)
            if received:
                yield StreamingPullResponse(received_messages=received)

    def _receive_acks(self, subscription: Resource, requests: Iterator[Message]) -> None:
        """Process the acks, nacks and extensions in a client's stream until it disconnects."""
        with suppress(grpc.RpcError, Refused):
            for request in requests:
                self._leases.acknowledge(subscription, request.ack_ids)
                deadlines = zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=False)
                for ack_id, lease_seconds in deadlines:
                    self._leases.modify_deadline(subscription, [ack_id], lease_seconds)
