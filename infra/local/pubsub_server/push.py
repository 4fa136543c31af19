"""Deliver to the endpoints of push subscriptions, with limited concurrency, and a pause after nacks."""

import json
import logging
from threading import Thread

import urllib3
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

from infra.local.pubsub_server.catalog import Resource
from infra.local.pubsub_server.leases import Leases
from infra.local.pubsub_server.rpc import Message

log = logging.getLogger(__name__)

# cloud.google.com/pubsub/docs/push: everything else is a nack.
_ACK_STATUSES = frozenset((102, 200, 201, 202, 204))
_MIN_PAUSE_SECONDS = 0.1
# A lease must outlast its request, otherwise the message is delivered twice at once.
_LEASE_MARGIN_SECONDS = 5.0
# An idle thread checks this often whether its subscription still has this endpoint.
_WAIT_SECONDS = 1.0


class PushEndpoint:
    """The endpoint of a subscription: a pool of direct connections, and the current pause after nacks."""

    def __init__(self, subscription: Resource, concurrency: int = 1) -> None:
        self.subscription = subscription
        self.pause_seconds = 0.0
        # As in Pub/Sub, the ack deadline limits the time to a response.
        self.timeout = float(subscription.config.ack_deadline_seconds)
        self.connections = urllib3.PoolManager(maxsize=concurrency, timeout=self.timeout, retries=False)

    def post(self, body: bytes) -> int | None:
        """Return the response's status, or None without a response in time."""
        url = self.subscription.config.push_config.push_endpoint
        headers = {"Content-Type": "application/json"}
        try:
            return self.connections.request("POST", url, body=body, headers=headers, redirect=False).status
        except urllib3.exceptions.HTTPError as error:
            log.info("no answer from %s: %s", url, error)
            return None


class Push:
    """Delivery threads, a few per push subscription; max_pause_seconds is its longest pause (0: none)."""

    def __init__(self, leases: Leases, *, concurrency: int = 8, max_pause_seconds: float = 60.0) -> None:
        self._leases, self._concurrency, self._max_pause_seconds = leases, concurrency, max_pause_seconds
        self._endpoints: dict[int, PushEndpoint] = {}

    def start(self, subscription: Resource) -> None:
        """Start delivering to a subscription's current endpoint, and stop delivering to earlier ones."""
        endpoint = self._endpoints[subscription.id] = PushEndpoint(subscription, self._concurrency)
        if subscription.config.push_config.push_endpoint:
            for _ in range(self._concurrency):
                Thread(target=self._deliver, args=(endpoint,), daemon=True).start()

    def _deliver(self, endpoint: PushEndpoint) -> None:
        subscription, lease_seconds = endpoint.subscription, endpoint.timeout + _LEASE_MARGIN_SECONDS
        while self._is_current(endpoint):
            for received in self._leases.lease(subscription, 1, lease_seconds, _WAIT_SECONDS):
                status = endpoint.post(push_body(subscription, received))
                self.settle(endpoint, received.ack_id, accepted=status in _ACK_STATUSES)

    def _is_current(self, endpoint: PushEndpoint) -> bool:
        """Return whether the subscription exists and still has this endpoint."""
        subscription = endpoint.subscription
        found = self._leases.store.catalog.get(subscription.name)
        return self._endpoints.get(subscription.id) is endpoint and bool(found and found.id == subscription.id)

    def settle(self, endpoint: PushEndpoint, ack_id: str, *, accepted: bool) -> None:
        """Ack or nack; like Cloud Pub/Sub, slow the whole subscription down after nacks and speed it up after acks."""
        if accepted:
            self._leases.acknowledge(endpoint.subscription, [ack_id])
            halved = endpoint.pause_seconds / 2
            endpoint.pause_seconds = halved if endpoint.pause_seconds > _MIN_PAUSE_SECONDS else 0.0
            return
        self._leases.modify_deadline(endpoint.subscription, [ack_id], 0.0)
        doubled = min(max(2 * endpoint.pause_seconds, _MIN_PAUSE_SECONDS), self._max_pause_seconds)
        # Concurrent nacks count as one.
        if self._leases.pause(endpoint.subscription, doubled):
            endpoint.pause_seconds = doubled


def push_body(subscription: Resource, received: Message) -> bytes:
    """Return the body of a push request; like Pub/Sub's, it omits empty fields."""
    message = MessageToDict(received.message)
    message |= {"message_id": message["messageId"], "publish_time": message["publishTime"]}
    attempt = {"deliveryAttempt": received.delivery_attempt} if received.delivery_attempt else {}
    return json.dumps({"message": message, "subscription": subscription.name, **attempt}).encode()
