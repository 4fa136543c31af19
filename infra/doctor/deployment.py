"""Checks of what is deployed: APIs, services, subscriptions, schedules, as infra/topology.yaml declares them."""

from collections.abc import Iterator, Mapping
from functools import partial

from infra.doctor.access import read_access
from infra.doctor.google_rest import Json, NotThere, listed
from infra.doctor.project import Project
from infra.topology import Schedule, Subscription
from shared.feeds.definition import find_feed
from shared.operations.doctor.check import Check, Finding, passed_unless
from shared.streams.definition import look_up

_LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"


def deployment_checks(project: Project, *, secops_on: bool) -> Iterator[Check]:
    """Yield the checks of APIs, services, subscriptions and schedules."""
    yield Check(
        name="apis",
        relies_on="the project has every API enabled that the mesh calls",
        look=partial(_apis, project, secops_on=secops_on),
        meaning="every call to an API that is off is refused with 403, and its messages are nacked",
        remedy="run `terraform apply`, or `gcloud services enable` with the names",
    )
    yield Check(
        name="services",
        relies_on="every service is deployed and ready, and its newest revision gets all requests",
        look=partial(_services, project),
        meaning="a missing service leaves its subscription's messages waiting; a pinned one keeps running old code",
        remedy="run `terraform apply`; docs/deploy.md says how to end a rollback's pin",
    )
    yield Check(
        name="subscriptions",
        relies_on="every subscription is as infra/topology.yaml declares it and pushes to its service",
        look=partial(_subscriptions, project),
        meaning="without dead letters a message that always fails is retried for ever; one that expires loses messages",
        remedy="run `terraform apply`",
    )
    yield Check(
        name="schedules",
        relies_on="every schedule is enabled, at its time, and calls its service",
        look=partial(_schedules, project, secops_on=secops_on),
        meaning="a paused plan or sweep asks for nothing; after 7 days the source has dropped the minutes",
        remedy="`gcloud scheduler jobs resume NAME`, or `terraform apply`",
    )


def _apis(project: Project, *, secops_on: bool) -> Finding:
    wanted = [*read_access().apis, *(["chronicle.googleapis.com"] if secops_on else [])]
    names = [f"projects/{project.id}/services/{api}" for api in wanted]
    answer = project.google.get(f"serviceusage.googleapis.com/v1/projects/{project.id}/services:batchGet", names=names)
    on = {look_up(one, "config.name") for one in listed(answer, "services") if look_up(one, "state") == "ENABLED"}
    off = [api for api in wanted if api not in on]
    return passed_unless([f"{api} is not enabled" for api in off], f"all {len(wanted)} are enabled")


def _services(project: Project) -> Finding:
    problems = [text for name in project.topology.services if (text := _service_problem(project, name))]
    return passed_unless(problems, f"all {len(project.topology.services)} are ready")


def _service_problem(project: Project, name: str) -> str | None:
    try:
        service = project.google.get(project.service_address(name))
    except NotThere:
        return f"{project.named(name)} does not exist in {project.region}"
    if look_up(service, "terminalCondition.state") != "CONDITION_SUCCEEDED":
        return (
            f"{project.named(name)} is not ready: {look_up(service, 'terminalCondition.message') or 'no reason given'}"
        )
    pinned = [one for one in listed(service, "trafficStatuses") if look_up(one, "type") != _LATEST]
    if pinned:
        return f"{project.named(name)} sends requests to {look_up(pinned[0], 'revision')}, not to its newest revision"
    return None


def _subscriptions(project: Project) -> Finding:
    uris = {one.push.service: "" for one in project.topology.subscriptions.values() if one.push}
    uris = {service: project.uri(service) for service in uris}
    problems = [
        text
        for name, one in project.topology.subscriptions.items()
        for text in _differences(project, name, _declared(project, one, uris))
    ]
    return passed_unless(problems, f"all {len(project.topology.subscriptions)} are as declared")


def _declared(project: Project, one: Subscription, uris: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    topics = f"projects/{project.id}/topics/"
    yield "topic", f"{topics}{project.named(one.topic)}"
    yield "ackDeadlineSeconds", one.ack_deadline_seconds
    yield "messageRetentionDuration", f"{one.retention_seconds}s"
    yield "expirationPolicy.ttl", None
    yield "filter", one.filter
    if one.push:
        yield "pushConfig.pushEndpoint", uris[one.push.service] + one.push.path
        yield "pushConfig.oidcToken.audience", uris[one.push.service]
    if one.backoff:
        yield "retryPolicy.minimumBackoff", f"{one.backoff.minimum_seconds}s"
        yield "retryPolicy.maximumBackoff", f"{one.backoff.maximum_seconds}s"
    if one.dead_letter:
        yield "deadLetterPolicy.deadLetterTopic", f"{topics}{project.named(one.dead_letter.topic)}"
        yield "deadLetterPolicy.maxDeliveryAttempts", one.dead_letter.max_attempts


def _differences(project: Project, name: str, declared: Iterator[tuple[str, object]]) -> Iterator[str]:
    try:
        found = project.google.get(project.subscription_address(name))
    except NotThere:
        yield f"{project.named(name)} does not exist"
        return
    if "expirationPolicy" not in found:
        # A subscription without a policy has the default one, which deletes it after 31 days.
        yield f"{project.named(name)}: expires after 31 days without activity"
    yield from _unlike(project.named(name), found, declared)


def _unlike(name: str, found: Json, declared: Iterator[tuple[str, object]]) -> Iterator[str]:
    for path, wanted in declared:
        # A path of "/" at the end of an address is optional.
        if (is_now := look_up(found, path)) != wanted and str(is_now).rstrip("/") != str(wanted).rstrip("/"):
            yield f"{name}: {path} is {is_now}, not {wanted}"


def _schedules(project: Project, *, secops_on: bool) -> Finding:
    problems: list[str] = []
    resting = 0
    polls = secops_on or any(find_feed(feed).source == "streams" for feed in project.feeds)
    for name, schedule in project.topology.schedules.items():
        if not (polls if schedule.service.startswith("secops-") else project.feeds):
            resting += 1
            continue
        problems += _schedule_problems(project, name, schedule)
    running = len(project.topology.schedules) - resting
    return passed_unless(problems, f"{running} enabled, {resting} for what is switched off")


def _schedule_problems(project: Project, name: str, schedule: Schedule) -> Iterator[str]:
    try:
        job = project.google.get(project.job_address(name))
    except NotThere:
        yield f"{project.named(name)} does not exist in {project.region}"
        return
    wanted = {
        "state": "ENABLED",
        "schedule": schedule.cron,
        "httpTarget.uri": project.uri(schedule.service) + schedule.path,
    }
    yield from _unlike(project.named(name), job, iter(wanted.items()))
