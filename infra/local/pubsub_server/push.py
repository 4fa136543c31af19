"""Deliver to the endpoints of push subscriptions: so many requests at once, and a rest after refusals."""

import http.client
import json
import logging
from contextlib import closing
from dataclasses import dataclass
from threading import Thread
from urllib.parse import urlsplit

from infra.local.pubsub_server.catalog import Catalog, Resource
from infra.local.pubsub_server.leases import Delivery, Leases
from infra.local.pubsub_server.wire import as_json

log = logging.getLogger(__name__)

# cloud.google.com/pubsub/docs/push: everything else is a nack.
_ACKS = frozenset((102, 200, 201, 202, 204))
_LEAST_PAUSE = 0.1
# A lease must outlast its request, or the message goes out twice at once.
_GRACE_SECONDS = 5.0
# How often a thread without work looks whether its subscription still wants it.
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Pace:
    """How many requests at once, and the longest rest of a subscription after refusals (0: none)."""

    concurrency: int = 8
    most_pause: float = 60.0


@dataclass
class Line:
    """The way to one endpoint."""

    subscription: Resource
    pause: float = 0.0


class Push:
    """Threads that deliver, a few for every push subscription."""

    def __init__(self, leases: Leases, catalog: Catalog, pace: Pace) -> None:
        self._leases = leases
        self._catalog = catalog
        self._pace = pace
        self._lines: dict[int, Line] = {}

    def serve(self, subscription: Resource) -> None:
        """Deliver to the endpoint that the subscription has now, and to none it had before."""
        line = self._lines[subscription.id] = Line(subscription)
        if subscription.config.push_config.push_endpoint:
            for _ in range(self._pace.concurrency):
                Thread(target=self._work, args=(line,), daemon=True).start()

    def _work(self, line: Line) -> None:
        one, deadline = line.subscription, line.subscription.config.ack_deadline_seconds
        with closing(Sender(one.config.push_config.push_endpoint, timeout=deadline)) as sender:
            while self._lines.get(one.id) is line and self._exists(one):
                for delivery in self._leases.take(one, 1, deadline + _GRACE_SECONDS, _LOOK_SECONDS):
                    self._settle(line, delivery, accepted=sender.post(envelope(one, delivery)) in _ACKS)

    def _exists(self, one: Resource) -> bool:
        found = self._catalog.get(one.name)
        return found is not None and found.id == one.id

    def _settle(self, line: Line, delivery: Delivery, *, accepted: bool) -> None:
        """Like Cloud Pub/Sub, slow the whole subscription down after nacks, and up again after acks."""
        if accepted:
            self._leases.acknowledge(line.subscription, [delivery.lease])
            line.pause = line.pause / 2 if line.pause > _LEAST_PAUSE else 0.0
            return
        self._leases.postpone(line.subscription, [delivery.lease], 0.0)
        pause = min(max(2 * line.pause, _LEAST_PAUSE), self._pace.most_pause)
        # Requests that were under way together count as one refusal.
        if self._leases.rest(line.subscription, pause):
            line.pause = pause


def envelope(one: Resource, delivery: Delivery) -> bytes:
    """Return the body of a push request; like the real one it leaves out what a message does not have."""
    message = as_json(delivery.message)
    message |= {"message_id": message["messageId"], "publish_time": message["publishTime"]}
    body: dict[str, object] = {"message": message, "subscription": one.name}
    if one.config.HasField("dead_letter_policy"):
        body["deliveryAttempt"] = delivery.lease.attempt
    return json.dumps(body).encode()


class Sender:
    """One kept connection to an endpoint; it knows no proxy."""

    def __init__(self, endpoint: str, timeout: float) -> None:
        parts = urlsplit(endpoint)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        self._path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"

    def post(self, body: bytes) -> int:
        """Return the status of the answer, or 0 when there was none in time."""
        kept = self._connection.sock is not None
        try:
            self._connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if kept and isinstance(error, ConnectionError):
                # An endpoint may close a connection that was idle; only a new one tells whether it is there.
                return self.post(body)
            log.info("no answer from %s: %s", self._path, error)
            return 0
        return answer.status

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()
