"""google.pubsub.v1.Publisher: one method per RPC. Lists have a single page."""

import grpc

from infra.local.pubsub_server import limits
from infra.local.pubsub_server.message_store import MessageStore
from infra.local.pubsub_server.rpc import Context, Message, Refused


class Publisher:
    """Each method takes the RPC's request and returns a message, its fields, or None for an empty response."""

    def __init__(self, store: MessageStore) -> None:
        self._store, self._catalog = store, store.catalog

    def create_topic(self, topic: Message, _: Context) -> Message:
        """Create a topic."""
        limits.validate_topic(topic)
        return self._catalog.create(topic).config

    def update_topic(self, request: Message, _: Context) -> Message:
        """Change the fields that the mask names."""
        topic = self._catalog.merged(request.topic, request.update_mask)
        limits.validate_topic(topic)
        return self._catalog.store(topic).config

    def get_topic(self, request: Message, _: Context) -> Message:
        """Return a topic."""
        return self._catalog.find(request.topic).config

    def list_topics(self, request: Message, _: Context) -> dict[str, object]:
        """Return the topics of a project."""
        return {"topics": [topic.config for topic in self._catalog.topics(request.project)]}

    def list_topic_subscriptions(self, request: Message, _: Context) -> dict[str, object]:
        """Return the names of a topic's subscriptions."""
        topic = self._catalog.find(request.topic)
        return {"subscriptions": [one.name for one in self._catalog.subscriptions_of(topic.name)]}

    def delete_topic(self, request: Message, _: Context) -> None:
        """Delete a topic; its subscriptions keep their backlog."""
        self._catalog.delete(request.topic)

    def publish(self, request: Message, _: Context) -> dict[str, object]:
        """Store all messages, then respond."""
        topic = self._catalog.find(request.topic)
        limits.validate_messages(request.messages)
        ids = self._store.publish(topic, request.messages)
        if rule := self._store.faults.fires("drop_answer", topic.short_name):
            raise Refused("a fault dropped this response", grpc.StatusCode[rule.code])
        return {"message_ids": ids}
