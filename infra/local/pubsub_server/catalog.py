"""Topics and subscriptions by name: in memory for every call, and in the file for the next start."""

from dataclasses import dataclass

import grpc

from infra.local.pubsub_server.database import Database
from infra.local.pubsub_server.filters import Filter, parse_filter
from infra.local.pubsub_server.rpc import Message, Refused, Subscription, Topic, seconds

_FIXED = {"name", "topic", "filter", "enable_message_ordering"}
_PUT = """
    INSERT INTO resources (name, config) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET config = excluded.config RETURNING id"""


@dataclass(frozen=True)
class Resource:
    """A topic, or a subscription of one; once changed it is another object with the same id."""

    id: int
    name: str
    short: str
    topic: str
    config: Message
    wants: Filter


class Catalog:
    """Every topic and subscription."""

    def __init__(self, database: Database) -> None:
        """Read what the last run left."""
        self._database = database
        self._known: dict[str, Resource] = {}
        # A topic or subscription by its name, or None.
        self.get = self._known.get
        with database.transaction() as run:
            for number, name, config in run.execute("SELECT id, name, config FROM resources").fetchall():
                self._remember(number, (Topic if "/topics/" in name else Subscription).FromString(config))

    def find(self, name: str) -> Resource:
        """Return a topic or subscription; raise Refused when there is none."""
        if found := self._known.get(name):
            return found
        raise Refused(f"Resource not found (resource={name}).", grpc.StatusCode.NOT_FOUND)

    def every(self, kind: str) -> list[Resource]:
        """Return all `topics` or `subscriptions`, by name."""
        return [one for name, one in sorted(self._known.items()) if f"/{kind}/" in name]

    def configs(self, kind: str, project: str) -> list[Message]:
        """Return the settings of all `topics` or `subscriptions` of a project."""
        return [one.config for one in self.every(kind) if one.name.startswith(f"{project}/")]

    def of_topic(self, topic: str) -> list[Resource]:
        """Return the subscriptions of a topic."""
        # A call may add one meanwhile.
        return [one for one in tuple(self._known.values()) if one.topic == topic]

    def names_of_topic(self, topic: str) -> list[str]:
        """Return the names of a topic's subscriptions; raise Refused when there is no such topic."""
        return [one.name for one in self.of_topic(self.find(topic).name)]

    def kept_seconds(self, topic: str) -> float:
        """Return how long a topic's messages are kept that everyone has acknowledged."""
        keepers = [self.get(topic), *(one for one in self.of_topic(topic) if one.config.retain_acked_messages)]
        return max((seconds(one.config.message_retention_duration) for one in keepers if one), default=0.0)

    def store(self, config: Message, *, new: bool = False) -> Resource:
        """Add a topic or subscription, or replace its settings; raise Refused when a new one's name is taken."""
        with self._database.transaction() as run:
            if new and config.name in self._known:
                raise Refused(f"Resource already exists ({config.name}).", grpc.StatusCode.ALREADY_EXISTS)
            [number] = run.execute(_PUT, (config.name, config.SerializeToString())).fetchone()
            return self._remember(number, config)

    def _remember(self, number: int, config: Message) -> Resource:
        topic, wants = getattr(config, "topic", ""), parse_filter(getattr(config, "filter", ""))
        self._known[config.name] = Resource(number, config.name, config.name.rpartition("/")[2], topic, config, wants)
        return self._known[config.name]

    def changed(self, config: Message, mask: Message) -> Message:
        """Return a resource's settings with the masked fields taken from `config`; nothing is stored yet."""
        if _FIXED.intersection(mask.paths) or not mask.IsValidForDescriptor(config.DESCRIPTOR):
            raise Refused(f"update_mask: {', '.join(mask.paths)} cannot be changed")
        merged = type(config).FromString(self.find(config.name).config.SerializeToString())
        mask.MergeMessage(config, merged, replace_message_field=True, replace_repeated_field=True)
        return merged

    def remove(self, name: str) -> None:
        """Delete a topic, which leaves its subscriptions their backlog, or a subscription with its backlog."""
        gone = self.find(name)
        with self._database.transaction() as run:
            run.execute("DELETE FROM resources WHERE id = ?", (gone.id,))
            run.execute("DELETE FROM deliveries WHERE subscription = ?", (gone.id,))
            del self._known[name]
        for one in self.of_topic(name):
            one.config.topic = "_deleted-topic_"
            self.store(one.config)
