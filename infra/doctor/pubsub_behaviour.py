"""Checks of Pub/Sub's dead letters and push backoff, on topics that the doctor makes and removes."""

import base64
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import pairwise

from infra.doctor.google_rest import Json, listed
from infra.doctor.project import Project
from infra.doctor.scratch import Scratch
from shared.operations.doctor.check import Check, Finding, failed, passed, unknown
from shared.streams.definition import look_up

_ATTEMPTS = 5
_DEAD_LETTER_SECONDS = 180.0
_BACKOFF_SECONDS = 90.0
# The declared minimum is 10 s; Pub/Sub keeps to it roughly.
_MIN_GAP_SECONDS = 8.0
_POLL_SECONDS = 2.0

Sleep = Callable[[float], None]


def pubsub_checks(project: Project, scratch: Scratch, sleep: Sleep = time.sleep) -> Iterator[Check]:
    """Yield the checks; they take up to three minutes."""
    yield Check(
        name="dead-letter round trip",
        relies_on="a message nacked five times reaches the dead-letter topic, with its source in the attributes",
        look=partial(_dead_letter, project, scratch, sleep),
        meaning="what always fails is retried for ever, or leaves without a record",
        remedy="see `access of dead letters`; then look for an organisation policy that restricts Pub/Sub's agent",
    )
    yield Check(
        name="push backoff",
        relies_on="a nacked push is repeated after 10 s or more, as the subscription's retry policy says",
        look=partial(_push_backoff, project, scratch, sleep),
        meaning="100 attempts are over within minutes, and an outage of the source makes dead letters",
        remedy="raise `minimum_seconds` of the backoff in infra/topology.yaml, and report it",
    )


class _Topics:
    """Topics and subscriptions of one check."""

    def __init__(self, project: Project, scratch: Scratch, suffix: str) -> None:
        self._project, self._scratch = project, scratch
        self._parent = f"projects/{project.id}"
        self._stem = f"{scratch.name}-{suffix}"

    def _address(self, kind: str, name: str) -> str:
        return f"pubsub.googleapis.com/v1/{self._parent}/{kind}/{self._stem}{name}"

    def topic(self, name: str) -> str:
        """Make a topic; return its address."""
        return self._make(self._address("topics", name), {"labels": {"app": "gti-mesh"}})

    def subscription(self, name: str, topic: str, **settings: object) -> str:
        """Make a subscription of a topic; return its address."""
        path = topic.removeprefix("pubsub.googleapis.com/v1/")
        return self._make(self._address("subscriptions", name), {"topic": path, **settings})

    def _make(self, address: str, body: Json) -> str:
        self._scratch.remove_later(address, lambda: self._project.google.delete(address))
        self._project.google.put(address, body)
        return address

    def grant(self, address: str, role: str, member: str) -> None:
        """Give a member a role on one of these resources."""
        policy = {"policy": {"bindings": [{"role": role, "members": [member]}]}}
        self._project.google.post(f"{address}:setIamPolicy", policy)

    def publish(self, topic: str) -> None:
        """Publish one message."""
        message = {"data": base64.b64encode(b"{}").decode()}
        self._project.google.post(f"{topic}:publish", {"messages": [message]})

    def pull(self, subscription: str) -> list[object]:
        """Return waiting messages."""
        return listed(self._project.google.post(f"{subscription}:pull", {"maxMessages": 10}), "receivedMessages")

    def nack(self, subscription: str, messages: list[object]) -> None:
        """Nack messages."""
        body = {"ackIds": [look_up(one, "ackId") for one in messages], "ackDeadlineSeconds": 0}
        self._project.google.post(f"{subscription}:modifyAckDeadline", body)


def _dead_letter(project: Project, scratch: Scratch, sleep: Sleep) -> Finding:
    topics, agent = _Topics(project, scratch, "dead"), project.pubsub_agent()
    topic, dead = topics.topic(""), topics.topic("-letters")
    kept = topics.subscription("-letters", dead)
    policy = {"deadLetterTopic": dead.removeprefix("pubsub.googleapis.com/v1/"), "maxDeliveryAttempts": _ATTEMPTS}
    source = topics.subscription("", topic, deadLetterPolicy=policy)
    topics.grant(dead, "roles/pubsub.publisher", agent)
    topics.grant(source, "roles/pubsub.subscriber", agent)
    topics.publish(topic)
    return _await_dead_letter(topics, source, kept, sleep)


def _await_dead_letter(topics: _Topics, source: str, kept: str, sleep: Sleep) -> Finding:
    deliveries = 0
    for _ in range(int(_DEAD_LETTER_SECONDS / _POLL_SECONDS)):
        if letters := topics.pull(kept):
            attributes = look_up(letters[0], "message.attributes")
            named = isinstance(attributes, dict) and "CloudPubSubDeadLetterSourceSubscription" in attributes
            return (
                passed(f"after {deliveries} deliveries") if named else failed("its attributes do not name its source")
            )
        if received := topics.pull(source):
            deliveries += 1
            topics.nack(source, received)
        sleep(_POLL_SECONDS)
    return failed(f"nothing in the dead-letter topic within {_DEAD_LETTER_SECONDS:.0f} s and {deliveries} deliveries")


def _push_backoff(project: Project, scratch: Scratch, sleep: Sleep) -> Finding:
    path = f"/{scratch.name}"
    uri = project.uri("planner")
    push = look_up(project.google.get(project.subscription_address("downloader")), "pushConfig.oidcToken")
    account = look_up(push, "serviceAccountEmail")
    topics = _Topics(project, scratch, "push")
    topic = topics.topic("")
    topics.subscription(
        "",
        topic,
        pushConfig={"pushEndpoint": uri + path, "oidcToken": {"serviceAccountEmail": account, "audience": uri}},
        retryPolicy={"minimumBackoff": "10s", "maximumBackoff": "600s"},
        ackDeadlineSeconds=10,
    )
    topics.publish(topic)
    sleep(_BACKOFF_SECONDS)
    return _gaps(_requests(project, path))


def _requests(project: Project, path: str) -> list[datetime]:
    """Return the times of requests for a path, from the service's request log."""
    body = {
        "resourceNames": [f"projects/{project.id}"],
        "filter": f'resource.type="cloud_run_revision" AND httpRequest.requestUrl:"{path}"',
        "orderBy": "timestamp asc",
    }
    entries = listed(project.google.post("logging.googleapis.com/v2/entries:list", body), "entries")
    return [datetime.fromisoformat(str(look_up(one, "timestamp")).replace("Z", "+00:00")) for one in entries]


def _gaps(times: list[datetime]) -> Finding:
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    if not gaps:
        return unknown(f"{len(times)} pushes within {_BACKOFF_SECONDS:.0f} s, and two are needed to tell")
    seen = "pushes " + ", ".join(f"{gap:.0f}" for gap in gaps) + " s apart"
    return passed(seen) if min(gaps) >= _MIN_GAP_SECONDS else failed(seen)
