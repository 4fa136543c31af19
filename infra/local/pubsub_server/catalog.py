"""Topics and subscriptions by name: in memory for every call, and in the file for the next start."""

from dataclasses import dataclass

import grpc

from infra.local.pubsub_server.database import Database
from infra.local.pubsub_server.filters import Filter, parse_filter
from infra.local.pubsub_server.rpc import Refused
from infra.local.pubsub_server.wire import Message, Subscription, Topic, seconds, short

DELETED = "_deleted-topic_"
_FIXED = {"name", "topic", "filter", "enable_message_ordering"}


@dataclass(frozen=True)
class Resource:
    """A topic or a subscription; once changed it is another object with the same id."""

    id: int
    config: Message
    wants: Filter

    @property
    def name(self) -> str:
        """The full name."""
        return str(self.config.name)

    @property
    def short(self) -> str:
        """The name without its project."""
        return short(self.name)


class Catalog:
    """Every topic and subscription."""

    def __init__(self, database: Database) -> None:
        """Read what the last run left."""
        self._database = database
        self._known: dict[str, Resource] = {}
        self._by_topic: dict[str, list[Resource]] = {}
        with database.transaction() as run:
            for number, name, config in run.execute("SELECT id, name, config FROM resources"):
                self._remember(number, (Topic if "/topics/" in name else Subscription).FromString(config))

    def get(self, name: str) -> Resource | None:
        """Return a topic or subscription, or None."""
        return self._known.get(name)

    def find(self, name: str) -> Resource:
        """Return a topic or subscription; raise Refused when there is none."""
        if found := self._known.get(name):
            return found
        raise Refused(f"Resource not found (resource={short(name)}).", grpc.StatusCode.NOT_FOUND)

    def every(self, kind: str, project: str = "") -> list[Resource]:
        """Return all `topics` or `subscriptions`, or those of a project, by name."""
        known = sorted(self._known.items())
        return [one for name, one in known if f"/{kind}/" in name and name.startswith(project)]

    def of_topic(self, topic: str) -> list[Resource]:
        """Return the subscriptions of a topic."""
        return self._by_topic.get(topic, [])

    def kept_seconds(self, topic: str) -> float:
        """Return how long a topic's messages are kept that everyone has acknowledged."""
        keepers = [one for one in self.of_topic(topic) if one.config.retain_acked_messages]
        keepers += [found] if (found := self.get(topic)) else []
        return max((seconds(one.config.message_retention_duration) for one in keepers), default=0.0)

    def create(self, config: Message) -> Resource:
        """Add a topic or subscription; raise Refused when its name is taken."""
        with self._database.transaction() as run:
            if config.name in self._known:
                raise Refused(f"Resource already exists ({short(config.name)}).", grpc.StatusCode.ALREADY_EXISTS)
            sql = "INSERT INTO resources (name, config) VALUES (?, ?) RETURNING id"
            [number] = run.execute(sql, (config.name, config.SerializeToString())).fetchone()
            return self._remember(number, config)

    def changed(self, config: Message, mask: Message) -> Message:
        """Return a resource's settings with the masked fields taken from `config`; nothing is stored yet."""
        if fixed := _FIXED.intersection(mask.paths):
            raise Refused(f"{', '.join(sorted(fixed))} cannot be changed")
        merged = type(config)()
        merged.CopyFrom(self.find(config.name).config)
        try:
            mask.MergeMessage(config, merged, replace_message_field=True, replace_repeated_field=True)
        except ValueError as error:
            raise Refused(f"update_mask: {error}") from None
        return merged

    def store(self, config: Message) -> Resource:
        """Replace the settings of a resource."""
        with self._database.transaction() as run:
            number = self.find(config.name).id
            run.execute("UPDATE resources SET config = ? WHERE id = ?", (config.SerializeToString(), number))
            return self._remember(number, config)

    def remove(self, name: str) -> None:
        """Delete a topic, which leaves its subscriptions their backlog, or a subscription with its backlog."""
        with self._database.transaction() as run:
            gone = self.find(name)
            run.execute("DELETE FROM resources WHERE id = ?", (gone.id,))
            run.execute("DELETE FROM deliveries WHERE subscription = ?", (gone.id,))
            for one in self.of_topic(name):
                orphan = Subscription()
                orphan.CopyFrom(one.config)
                orphan.topic = DELETED
                self.store(orphan)
            del self._known[name]
            self._index()

    def _remember(self, number: int, config: Message) -> Resource:
        self._known[config.name] = Resource(number, config, parse_filter(getattr(config, "filter", "")))
        self._index()
        return self._known[config.name]

    def _index(self) -> None:
        self._by_topic = {}
        for one in self.every("subscriptions"):
            self._by_topic.setdefault(one.config.topic, []).append(one)
