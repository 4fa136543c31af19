"""The mesh as data: the model of `topology.yaml`, and its reader."""

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.contracts.outcomes import Misconfigured

_DAY = 24 * 60 * 60


def _cron(expression: str) -> str:
    try:
        from croniter import croniter
    except ModuleNotFoundError:
        # croniter comes with the extra `local`; without it, nothing here runs these schedules, and the pattern must
        # suffice.
        return expression
    if not croniter.is_valid(expression):
        raise ValueError("is not a cron expression")
    return expression


# Cloud Run's and Pub/Sub's naming rules; the ranges below are those of the Pub/Sub API and of Cloud Scheduler.
ServiceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}[a-z0-9]$")]
ResourceName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$")]
HttpPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_-]*$")]
Cron = Annotated[str, Field(pattern=r"^\S+( \S+){4}$"), AfterValidator(_cron)]
AckDeadline = Annotated[int, Field(ge=10, le=600)]
BackoffSeconds = Annotated[int, Field(ge=0, le=600)]
Attempts = Annotated[int, Field(ge=5, le=100)]
Retention = Annotated[int, Field(ge=10 * 60, le=31 * _DAY)]


class Declaration(BaseModel):
    """The base of all parts of the topology."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Instances(Declaration):
    """How many instances of a service Cloud Run keeps and may start."""

    min: Annotated[int, Field(ge=0)]
    max: Annotated[int, Field(ge=1)]


class Service(Declaration):
    """A function in a source file; `concurrency` is requests at once in one instance, and so its threads."""

    source: Annotated[str, Field(pattern=r"^\S+\.py$")]
    target: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    concurrency: Annotated[int, Field(ge=1, le=1000)]
    instances: Instances
    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]*[MG]i$")]
    cpu: Annotated[str, Field(pattern=r"^[1248]$")]
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)]

    @property
    def mebibytes(self) -> int:
        """The memory of an instance."""
        return int(self.memory[:-2]) * {"Mi": 1, "Gi": 1024}[self.memory[-2:]]


class Topic(Declaration):
    """A Pub/Sub topic."""

    retention_seconds: Retention


class Push(Declaration):
    """Where a subscription delivers."""

    service: ServiceName
    path: HttpPath


class Backoff(Declaration):
    """How long Pub/Sub waits before redelivery; it doubles from the minimum to the maximum."""

    minimum_seconds: BackoffSeconds
    maximum_seconds: BackoffSeconds

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minimum_seconds > self.maximum_seconds:
            raise ValueError("minimum_seconds is above maximum_seconds")
        return self


class DeadLetter(Declaration):
    """Where a message goes when its attempts are spent."""

    topic: ResourceName
    max_attempts: Attempts


class Subscription(Declaration):
    """A Pub/Sub subscription: with `push` it delivers to a service, without it keeps messages to be pulled."""

    topic: ResourceName
    # By attributes, in Pub/Sub's own language. It cannot be changed, and the official emulator does not apply it.
    filter: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    push: Push | None = None
    ack_deadline_seconds: AckDeadline
    retention_seconds: Retention
    # Written out because Terraform needs it; a subscription that expires is deleted after a quiet month.
    never_expires: Literal[True]
    backoff: Backoff | None = None
    dead_letter: DeadLetter | None = None


class Schedule(Declaration):
    """A service called on schedule (UTC)."""

    cron: Cron
    service: ServiceName
    path: HttpPath
    deadline_seconds: Annotated[int, Field(ge=15, le=1800)]


class Attempted(Declaration):
    """The part of a dead-letter policy that a profile changes."""

    max_attempts: Attempts


class PushChange(Declaration):
    """What a profile changes in every push subscription; a dead-letter policy is changed, never added."""

    ack_deadline_seconds: AckDeadline | None = None
    backoff: Backoff | None = None
    dead_letter: Attempted | None = None


class Profile(Declaration):
    """Changes for one environment, such as one machine."""

    push_subscriptions: PushChange = PushChange()


class Topology(Declaration):
    """All parts of the mesh, by name."""

    services: Mapping[ServiceName, Service]
    topics: Mapping[ResourceName, Topic]
    subscriptions: Mapping[ResourceName, Subscription]
    schedules: Mapping[ServiceName, Schedule]
    profiles: Mapping[str, Profile] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := list(_problems(self)):
            raise ValueError("\n".join(problems))
        return self

    def under(self, profile: str) -> "Topology":
        """Return the topology with a profile's changes; raise Misconfigured for an unknown profile."""
        if profile not in self.profiles:
            raise Misconfigured(f"unknown profile {profile!r}; the topology has: {', '.join(self.profiles)}")
        change = self.profiles[profile].push_subscriptions
        changed = {name: _changed(one, change) for name, one in self.subscriptions.items()}
        return self.model_copy(update={"subscriptions": changed})


def _changed(subscription: Subscription, change: PushChange) -> Subscription:
    if subscription.push is None:
        return subscription
    update: dict[str, object] = {}
    if change.ack_deadline_seconds is not None:
        update["ack_deadline_seconds"] = change.ack_deadline_seconds
    if change.backoff is not None:
        update["backoff"] = change.backoff
    if change.dead_letter is not None and subscription.dead_letter is not None:
        attempts = {"max_attempts": change.dead_letter.max_attempts}
        update["dead_letter"] = subscription.dead_letter.model_copy(update=attempts)
    return subscription.model_copy(update=update)


def _problems(topology: Topology) -> Iterator[str]:
    for name, subscription in topology.subscriptions.items():
        for field, reason in _subscription_problems(topology, name, subscription):
            yield f"subscriptions.{name}.{field}: {reason}"
    for name, schedule in topology.schedules.items():
        if schedule.service not in topology.services:
            yield f"schedules.{name}.service: there is no service {schedule.service!r}"
    for name, service in topology.services.items():
        if service.instances.min > service.instances.max:
            yield f"services.{name}.instances.min: is above instances.max"


def _subscription_problems(topology: Topology, name: str, one: Subscription) -> Iterator[tuple[str, str]]:
    if one.topic not in topology.topics:
        yield "topic", f"there is no topic {one.topic!r}"
    if one.push is None:
        return
    if one.push.service not in topology.services:
        yield "push.service", f"there is no service {one.push.service!r}"
    if one.backoff is None:
        yield "backoff", "missing; without it a failed push is repeated at once"
    if one.dead_letter is not None:
        yield from _dead_letter_problems(topology, one.dead_letter.topic)
    elif name != ledger_subscription(one.topic):
        yield "dead_letter", "missing; only the ledger of a dead-letter topic retries without end"


def _dead_letter_problems(topology: Topology, dead: str) -> Iterator[tuple[str, str]]:
    if dead not in topology.topics:
        yield "dead_letter.topic", f"there is no topic {dead!r}"
    keeping = topology.subscriptions.get(name := keeping_subscription(dead))
    if keeping is None or keeping.topic != dead or keeping.push is not None:
        yield "dead_letter.topic", f"no pull subscription {name!r} keeps its messages"
    ledger = topology.subscriptions.get(name := ledger_subscription(dead))
    if ledger is None or ledger.topic != dead or ledger.push is None:
        yield "dead_letter.topic", f"no push subscription {name!r} records its messages"


def keeping_subscription(dead: str) -> str:
    """Return the name of the pull subscription that keeps a dead-letter topic's messages for the operator."""
    return dead


def ledger_subscription(dead: str) -> str:
    """Return the name of the push subscription by which dead letters reach the ledger."""
    return f"{dead}-ledger"


def parse_topology(text: str, source: str) -> Topology:
    """Return the topology in a text; raise Misconfigured with one line per problem: source, place and reason."""
    try:
        return Topology.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise Misconfigured(f"{source}: {_syntax(error)}") from None
    except ValidationError as error:
        raise Misconfigured("\n".join(f"{source}: {line}" for line in _lines(error))) from None


def _syntax(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return str(error)


def _lines(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False):
        reason = one["msg"].removeprefix("Value error, ")
        place = ".".join(str(part) for part in one["loc"])
        yield from (f"{place}: {line}" if place else line for line in reason.splitlines())


def read_topology(profile: str | None = None, path: Path | None = None) -> Topology:
    """Return the topology of this distribution or of another file, with a profile's changes if one is named."""
    entry = path or resources.files("infra") / "topology.yaml"
    topology = parse_topology(entry.read_text(encoding="utf-8"), str(path or "infra/topology.yaml"))
    return topology.under(profile) if profile else topology
