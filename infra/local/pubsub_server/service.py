"""Google's Publisher and Subscriber: each call checked, handed on, and answered."""

from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import grpc

from infra.local.pubsub_server import leases, limits, log, push, rpc
from infra.local.pubsub_server.catalog import Resource
from infra.local.pubsub_server.rpc import Answer, Message, Refused, seconds

# A pull without messages is answered after this long, and in any case before its caller stops listening: what was
# leased to nobody would be missing until its deadline.
_PULL_SECONDS = 20.0
_MARGIN_SECONDS = 0.2
_STREAM_LOOK_SECONDS = 0.5
_MOST = 1000


class Service:
    """What clients call."""

    def __init__(self, backlog: log.Log, lessor: leases.Leases, pusher: push.Push) -> None:
        self._catalog, self._log, self._leases, self._push = backlog.catalog, backlog, lessor, pusher

    def methods(self) -> dict[str, Answer]:
        """Return what answers each of Google's methods; lists are one page, which is enough for one machine."""
        catalog, find, postpone = self._catalog, self._catalog.find, self._leases.postpone
        return {
            "CreateTopic": lambda ask, _: self._keep(ask, new=True),
            "UpdateTopic": lambda ask, _: self._keep(catalog.changed(ask.topic, ask.update_mask)),
            "GetTopic": lambda ask, _: find(ask.topic).config,
            "ListTopics": lambda ask, _: {"topics": catalog.configs("topics", ask.project)},
            "ListTopicSubscriptions": lambda ask, _: {"subscriptions": catalog.names_of_topic(ask.topic)},
            "DeleteTopic": lambda ask, _: catalog.remove(ask.topic),
            "Publish": self._publish,
            "CreateSubscription": lambda ask, _: find(ask.topic) and self._keep(ask, new=True),
            "UpdateSubscription": lambda ask, _: self._keep(catalog.changed(ask.subscription, ask.update_mask)),
            "ModifyPushConfig": self._modify_push_config,
            "GetSubscription": lambda ask, _: find(ask.subscription).config,
            "ListSubscriptions": lambda ask, _: {"subscriptions": catalog.configs("subscriptions", ask.project)},
            "DeleteSubscription": lambda ask, _: catalog.remove(ask.subscription),
            "Seek": self._seek,
            "Pull": self._pull,
            "StreamingPull": self._streaming_pull,
            "Acknowledge": lambda ask, _: self._leases.acknowledge(find(ask.subscription), ask.ack_ids),
            "ModifyAckDeadline": lambda ask, _: postpone(find(ask.subscription), ask.ack_ids, ask.ack_deadline_seconds),
        }

    def _keep(self, config: Message, *, new: bool = False) -> Message:
        limits.complete(config)
        kept = self._catalog.store(config, new=new)
        if kept.topic:
            self._push.serve(kept)
        return kept.config

    def _modify_push_config(self, asked: Message, _: object) -> None:
        config = rpc.Subscription(name=asked.subscription, push_config=asked.push_config)
        self._keep(self._catalog.changed(config, rpc.FieldMask(paths=["push_config"])))

    def _publish(self, asked: Message, _: object) -> dict[str, object]:
        """Hold every message, and only then answer."""
        topic = self._catalog.find(asked.topic)
        limits.check_messages(asked.messages)
        ids = self._log.publish(topic, asked.messages)
        if rule := self._log.faults.fires("drop_answer", topic.short):
            raise Refused("the control endpoint asked to drop this answer", grpc.StatusCode[rule.code])
        return {"message_ids": ids}

    def _seek(self, asked: Message, _: object) -> None:
        if not asked.HasField("time"):
            raise Refused("snapshots: not on one machine", grpc.StatusCode.UNIMPLEMENTED)
        self._log.seek(self._catalog.find(asked.subscription), seconds(asked.time))

    def _pull(self, asked: Message, context: grpc.ServicerContext) -> dict[str, object]:
        """Lease messages, waiting for the first as long as the caller does."""
        one = self._catalog.find(asked.subscription)
        left = (context.time_remaining() or _PULL_SECONDS) - _MARGIN_SECONDS
        wait = 0.0 if asked.return_immediately else min(left, _PULL_SECONDS)
        found = self._leases.take(one, min(asked.max_messages, _MOST), one.config.ack_deadline_seconds, wait)
        return {"received_messages": found}

    def _streaming_pull(self, requests: Iterator[Message], context: grpc.ServicerContext) -> Iterator[Message]:
        """Send messages as they come, and no more at once than the client said."""
        first = next(requests)
        one = self._catalog.get(first.subscription) or context.abort(grpc.StatusCode.NOT_FOUND, "Resource not found")
        Thread(target=self._hear, args=(one, requests), daemon=True).start()
        lease_seconds = first.stream_ack_deadline_seconds or one.config.ack_deadline_seconds
        held: set[str] = set()
        while context.is_active() and self._catalog.get(one.name):
            held = self._leases.held(one, held)
            room = min(first.max_outstanding_messages or _MOST, _MOST) - len(held)
            found = self._leases.take(one, room, lease_seconds, _STREAM_LOOK_SECONDS)
            held.update(received.ack_id for received in found)
            if found:
                yield rpc.StreamingPullResponse(received_messages=found)

    def _hear(self, one: Resource, requests: Iterator[Message]) -> None:
        """Take what a client says in its stream, until it is gone."""
        with suppress(grpc.RpcError, Refused):
            for asked in requests:
                self._leases.acknowledge(one, asked.ack_ids)
                for ack_id, by in zip(asked.modify_deadline_ack_ids, asked.modify_deadline_seconds, strict=False):
                    self._leases.postpone(one, [ack_id], by)
