"""Topics and subscriptions by name, in memory and in the file."""

from dataclasses import dataclass
from functools import cached_property

import grpc

from infra.local.pubsub_server.database import Database
from infra.local.pubsub_server.filters import Filter, parse_filter
from infra.local.pubsub_server.rpc import Message, Refused, Subscription, Topic, seconds

_IMMUTABLE = {"name", "topic", "filter", "enable_message_ordering"}
# Pub/Sub's name for the topic of a subscription whose topic was deleted.
_DELETED_TOPIC = "_deleted-topic_"


@dataclass(frozen=True)
class Resource:
    """A topic or a subscription; a change makes a new object with the same id.

    `config` is the Topic or Subscription message, `matches` the subscription's filter.
    """

    id: int
    config: Message
    matches: Filter

    @cached_property
    def name(self) -> str:
        """The full name, `projects/.../topics/...` for example."""
        return str(self.config.name)

    @cached_property
    def short_name(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]

    @cached_property
    def topic(self) -> str:
        """The name of a subscription's topic; empty for a topic."""
        return str(getattr(self.config, "topic", ""))


class Catalog:
    """Every topic and subscription."""

    def __init__(self, database: Database) -> None:
        """Read the state of the last run."""
        self._database = database
        self._resources: dict[str, Resource] = {}
        with database.transaction() as transaction:
            for id_, name, config in transaction.run("read_resources").fetchall():
                self._remember(id_, (Topic if "/topics/" in name else Subscription).FromString(config))

    def get(self, name: str) -> Resource | None:
        """Return a topic or subscription, or None."""
        return self._resources.get(name)

    def find(self, name: str) -> Resource:
        """Return a topic or subscription; raise Refused if there is none."""
        if found := self.get(name):
            return found
        raise Refused(f"Resource not found (resource={name}).", grpc.StatusCode.NOT_FOUND)

    def topics(self, project: str = "") -> list[Resource]:
        """Return the topics by name, of all projects or one (`projects/...`)."""
        return self._list("topics", project)

    def subscriptions(self, project: str = "") -> list[Resource]:
        """Return the subscriptions by name, of all projects or one (`projects/...`)."""
        return self._list("subscriptions", project)

    def _list(self, kind: str, project: str) -> list[Resource]:
        prefix = f"{project}/" if project else ""
        return [one for name, one in sorted(self._resources.items()) if f"/{kind}/" in name and name.startswith(prefix)]

    def subscriptions_of(self, topic: str) -> list[Resource]:
        """Return the subscriptions of a topic."""
        # A copy, because another call may add one concurrently.
        return [one for one in tuple(self._resources.values()) if one.topic == topic]

    def acknowledged_retention_seconds(self, topic: str) -> float:
        """Return how long a topic retains acknowledged messages."""
        keepers = [one for one in self.subscriptions_of(topic) if one.config.retain_acked_messages]
        if found := self.get(topic):
            keepers.append(found)
        return max((seconds(one.config.message_retention_duration) for one in keepers), default=0.0)

    def create(self, config: Message) -> Resource:
        """Add a topic or subscription; raise Refused if its name is taken."""
        with self._database.lock:
            if config.name in self._resources:
                raise Refused(f"Resource already exists ({config.name}).", grpc.StatusCode.ALREADY_EXISTS)
            return self.store(config)

    def store(self, config: Message) -> Resource:
        """Add a topic or subscription, or replace its settings."""
        with self._database.transaction() as transaction:
            values = {"name": config.name, "config": config.SerializeToString()}
            [id_] = transaction.run("store_resource", **values).fetchone()
            return self._remember(id_, config)

    def _remember(self, id_: int, config: Message) -> Resource:
        resource = Resource(id_, config, parse_filter(getattr(config, "filter", "")))
        self._resources[config.name] = resource
        return resource

    def merged(self, config: Message, mask: Message) -> Message:
        """Return a resource's settings with the masked fields taken from `config`; nothing is stored yet."""
        if _IMMUTABLE.intersection(mask.paths) or not mask.IsValidForDescriptor(config.DESCRIPTOR):
            raise Refused(f"update_mask: {', '.join(mask.paths)} cannot be changed")
        merged = type(config).FromString(self.find(config.name).config.SerializeToString())
        mask.MergeMessage(config, merged, replace_message_field=True, replace_repeated_field=True)
        return merged

    def delete(self, name: str) -> None:
        """Delete a topic, whose subscriptions keep their backlog, or a subscription with its backlog."""
        resource = self.find(name)
        with self._database.transaction() as transaction:
            transaction.run("delete_resource", id=resource.id)
            transaction.run("delete_backlog", subscription=resource.id)
            del self._resources[name]
        for subscription in self.subscriptions_of(name):
            subscription.config.topic = _DELETED_TOPIC
            self.store(subscription.config)
