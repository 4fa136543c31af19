"""Google's Publisher and Subscriber: each call checked, handed on, and answered."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from threading import Thread

import grpc

from infra.local.pubsub_server import limits, wire
from infra.local.pubsub_server.catalog import Catalog, Resource
from infra.local.pubsub_server.leases import Delivery, Lease, Leases
from infra.local.pubsub_server.log import Log
from infra.local.pubsub_server.push import Push
from infra.local.pubsub_server.rpc import Refused, handler
from infra.local.pubsub_server.wire import Message, seconds

_PUBLISHER = (
    "CreateTopic",
    "UpdateTopic",
    "GetTopic",
    "ListTopics",
    "ListTopicSubscriptions",
    "DeleteTopic",
    "Publish",
)
_SUBSCRIBER = (
    *("CreateSubscription", "UpdateSubscription", "GetSubscription", "ListSubscriptions", "DeleteSubscription"),
    *("ModifyPushConfig", "Seek", "Pull", "StreamingPull", "Acknowledge", "ModifyAckDeadline"),
)
# A pull without messages is answered after this long, and in any case before its caller stops listening: what was
# leased to nobody would be missing until its deadline.
_PULL_SECONDS = 20.0
_MARGIN_SECONDS = 0.2
_STREAM_LOOK_SECONDS = 0.5
_MOST = 1000


class Service:
    """What clients call: a method for each of Google's, named like it."""

    def __init__(self, catalog: Catalog, log: Log, leases: Leases, push: Push) -> None:
        self._catalog = catalog
        self._log = log
        self._leases = leases
        self._push = push

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """Return the two services of google.pubsub.v1."""
        services = {"Publisher": _PUBLISHER, "Subscriber": _SUBSCRIBER}
        return [handler(name, methods, self, self._log.faults) for name, methods in services.items()]

    def create_topic(self, request: Message, _: object) -> Message:
        """Create a topic."""
        limits.check_topic(request)
        return self._catalog.create(request).config

    def update_topic(self, request: Message, _: object) -> Message:
        """Change the masked fields of a topic."""
        changed = self._catalog.changed(request.topic, request.update_mask)
        limits.check_topic(changed)
        return self._catalog.store(changed).config

    def get_topic(self, request: Message, _: object) -> Message:
        """Return a topic."""
        return self._catalog.find(request.topic).config

    def list_topics(self, request: Message, _: object) -> Message:
        """Return a project's topics; one page is enough for one machine."""
        found = self._catalog.every("topics", f"{request.project}/")
        return wire.ListTopicsResponse(topics=[one.config for one in found])

    def list_topic_subscriptions(self, request: Message, _: object) -> Message:
        """Return the names of a topic's subscriptions."""
        found = self._catalog.of_topic(self._catalog.find(request.topic).name)
        return wire.ListTopicSubscriptionsResponse(subscriptions=[one.name for one in found])

    def delete_topic(self, request: Message, _: object) -> Message:
        """Delete a topic."""
        self._catalog.remove(request.topic)
        return wire.Empty()

    def publish(self, request: Message, _: object) -> Message:
        """Hold every message, and only then answer."""
        topic = self._catalog.find(request.topic)
        limits.check_messages(request.messages)
        ids = self._log.publish(topic, request.messages)
        if rule := self._log.faults.fires("drop_answer", topic.short):
            raise Refused("the control endpoint asked to drop this answer", rule.status)
        return wire.PublishResponse(message_ids=ids)

    def create_subscription(self, request: Message, _: object) -> Message:
        """Create a subscription, and begin to push if it says so."""
        limits.complete_subscription(request)
        self._catalog.find(request.topic)
        created = self._catalog.create(request)
        self._push.serve(created)
        return created.config

    def update_subscription(self, request: Message, _: object) -> Message:
        """Change the masked fields of a subscription."""
        return self._change(self._catalog.changed(request.subscription, request.update_mask))

    def modify_push_config(self, request: Message, _: object) -> Message:
        """Push elsewhere, or no more."""
        config = wire.Subscription(name=request.subscription, push_config=request.push_config)
        self._change(self._catalog.changed(config, wire.FieldMask(paths=["push_config"])))
        return wire.Empty()

    def _change(self, config: Message) -> Message:
        limits.complete_subscription(config)
        changed = self._catalog.store(config)
        self._push.serve(changed)
        return changed.config

    def get_subscription(self, request: Message, _: object) -> Message:
        """Return a subscription."""
        return self._catalog.find(request.subscription).config

    def list_subscriptions(self, request: Message, _: object) -> Message:
        """Return a project's subscriptions."""
        found = self._catalog.every("subscriptions", f"{request.project}/")
        return wire.ListSubscriptionsResponse(subscriptions=[one.config for one in found])

    def delete_subscription(self, request: Message, _: object) -> Message:
        """Delete a subscription."""
        self._catalog.remove(request.subscription)
        return wire.Empty()

    def seek(self, request: Message, _: object) -> Message:
        """Move a subscription to a time."""
        if not request.HasField("time"):
            raise Refused("snapshots: not on one machine", grpc.StatusCode.UNIMPLEMENTED)
        self._log.seek(self._catalog.find(request.subscription), seconds(request.time))
        return wire.SeekResponse()

    def pull(self, request: Message, context: grpc.ServicerContext) -> Message:
        """Lease messages, waiting for the first as long as the caller does."""
        one = self._catalog.find(request.subscription)
        left = (context.time_remaining() or _PULL_SECONDS) - _MARGIN_SECONDS
        wait = 0.0 if request.return_immediately else min(left, _PULL_SECONDS)
        found = self._leases.take(one, min(request.max_messages, _MOST), one.config.ack_deadline_seconds, wait)
        return wire.PullResponse(received_messages=[_received(one, delivery) for delivery in found])

    def acknowledge(self, request: Message, _: object) -> Message:
        """Be done with messages."""
        one = self._catalog.find(request.subscription)
        self._leases.acknowledge(one, _read(one, request.ack_ids))
        return wire.Empty()

    def modify_ack_deadline(self, request: Message, _: object) -> Message:
        """Lengthen leases; a deadline of 0 gives messages back."""
        one = self._catalog.find(request.subscription)
        self._leases.postpone(one, _read(one, request.ack_ids), request.ack_deadline_seconds)
        return wire.Empty()

    def streaming_pull(self, requests: Iterator[Message], context: grpc.ServicerContext) -> Iterator[Message]:
        """Send messages as they come, and no more at once than the client said."""
        first = next(requests)
        one = self._catalog.get(first.subscription)
        if one is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={first.subscription}).")
            return
        Thread(target=self._hear, args=(one, requests), daemon=True).start()
        lease_seconds = first.stream_ack_deadline_seconds or one.config.ack_deadline_seconds
        held: set[Lease] = set()
        while context.is_active() and self._catalog.get(one.name):
            held = self._leases.held(one, held)
            room = min(first.max_outstanding_messages or _MOST, _MOST) - len(held)
            found = self._leases.take(one, room, lease_seconds, _STREAM_LOOK_SECONDS)
            held.update(delivery.lease for delivery in found)
            if found:
                yield wire.StreamingPullResponse(received_messages=[_received(one, delivery) for delivery in found])

    def _hear(self, one: Resource, requests: Iterator[Message]) -> None:
        """Take what a client says in its stream, until it is gone."""
        with suppress(grpc.RpcError, Refused):
            for request in requests:
                self._leases.acknowledge(one, _read(one, request.ack_ids))
                pairs = zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=False)
                for ack_id, deadline in pairs:
                    self._leases.postpone(one, _read(one, [ack_id]), deadline)


def _received(one: Resource, delivery: Delivery) -> Message:
    lease = delivery.lease
    attempt = lease.attempt if one.config.HasField("dead_letter_policy") else 0
    ack_id = f"{one.id}-{lease.message}-{lease.attempt}"
    return wire.ReceivedMessage(ack_id=ack_id, message=delivery.message, delivery_attempt=attempt)


def _read(one: Resource, ack_ids: Iterable[str]) -> list[Lease]:
    try:
        found = [[int(number) for number in ack_id.split("-")] for ack_id in ack_ids]
        return [Lease(message, attempt) for subscription, message, attempt in found if subscription == one.id]
    except ValueError:
        raise Refused("You have passed an invalid ack ID to the service.") from None
