"""Deliver to the endpoints of push subscriptions: so many requests at once, and a rest after refusals."""

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
_ACKS = frozenset((102, 200, 201, 202, 204))
_LEAST_PAUSE = 0.1
# A lease must outlast its request, or the message goes out twice at once.
_GRACE_SECONDS = 5.0
# How often a thread without work looks whether its subscription still wants it.
_LOOK_SECONDS = 1.0


class Line:
    """The way to one endpoint: connections that are kept, without a proxy, and how long it rests when it refuses."""

    def __init__(self, one: Resource, at_once: int = 1) -> None:
        self.one, self.pause, self.timeout = one, 0.0, one.config.ack_deadline_seconds
        self.connections = urllib3.PoolManager(maxsize=at_once, timeout=self.timeout, retries=False)

    def post(self, body: bytes) -> int:
        """Return the status of the answer, or 0 when there was none in time."""
        endpoint, headers = self.one.config.push_config.push_endpoint, {"Content-Type": "application/json"}
        try:
            return self.connections.request("POST", endpoint, body=body, headers=headers, redirect=False).status
        except urllib3.exceptions.HTTPError as error:
            log.info("no answer from %s: %s", endpoint, error)
            return 0


class Push:
    """Threads that deliver, a few for every push subscription; most_pause is its longest rest (0: none)."""

    def __init__(self, leases: Leases, *, concurrency: int = 8, most_pause: float = 60.0) -> None:
        self._leases, self._concurrency, self._most_pause = leases, concurrency, most_pause
        self._lines: dict[int, Line] = {}

    def serve(self, one: Resource) -> None:
        """Deliver to the endpoint that a subscription has now, and to none it had before."""
        line = self._lines[one.id] = Line(one, self._concurrency)
        if one.config.push_config.push_endpoint:
            for _ in range(self._concurrency):
                Thread(target=self._work, args=(line,), daemon=True).start()

    def _work(self, line: Line) -> None:
        one, known = line.one, self._leases.log.catalog.get
        while self._lines.get(one.id) is line and (found := known(one.name)) and found.id == one.id:
            for received in self._leases.take(one, 1, line.timeout + _GRACE_SECONDS, _LOOK_SECONDS):
                self.settle(line, received.ack_id, accepted=line.post(envelope(one, received)) in _ACKS)

    def settle(self, line: Line, ack_id: str, *, accepted: bool) -> None:
        """Like Cloud Pub/Sub, slow the whole subscription down after nacks, and up again after acks."""
        if accepted:
            self._leases.acknowledge(line.one, [ack_id])
            line.pause = line.pause / 2 if line.pause > _LEAST_PAUSE else 0.0
            return
        self._leases.postpone(line.one, [ack_id], 0.0)
        pause = min(max(2 * line.pause, _LEAST_PAUSE), self._most_pause)
        # Requests that were under way together count as one refusal.
        line.pause = pause if self._leases.rest(line.one, pause) else line.pause


def envelope(one: Resource, received: Message) -> bytes:
    """Return the body of a push request; like the real one it leaves out what a message does not have."""
    message = MessageToDict(received.message)
    message |= {"message_id": message["messageId"], "publish_time": message["publishTime"]}
    attempt = {"deliveryAttempt": received.delivery_attempt} if received.delivery_attempt else {}
    return json.dumps({"message": message, "subscription": one.name, **attempt}).encode()
