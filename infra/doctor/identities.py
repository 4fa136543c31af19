"""Checks of the services' permissions, made with their own credentials, and of Pub/Sub's and Cloud Scheduler's."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from urllib.parse import quote

from infra.doctor.access import CONSUME, PUBLISH, Access, Needs
from infra.doctor.google_rest import Denied, GoogleRest, Json, NotThere, listed
from infra.doctor.project import Project
from infra.doctor.scratch import Scratch
from shared.operations.doctor.check import Check, Finding, passed_unless, unknown
from shared.streams.definition import look_up

_CREATOR, _USER, _VIEWER = "roles/storage.objectCreator", "roles/storage.objectUser", "roles/storage.objectViewer"
_WHOLE_BUCKET = (_VIEWER, "roles/storage.legacyBucketReader")


def identity_checks(project: Project, access: Access, scratch: Scratch, *, secops_project: str) -> Iterator[Check]:
    """Yield a check for each service's account, which creates objects that `scratch` removes, and those of agents."""
    for name in project.topology.services:
        yield Check(
            name=f"access of {name}",
            relies_on=f"the service account of {name} may do what infra/access.yaml says",
            look=partial(_identity, project, access, scratch, name, secops_project),
            meaning="calls are refused with 403, and messages are nacked until the grant is there",
            remedy="run `terraform apply`; a new grant takes up to 7 minutes to work",
        )
    yield Check(
        name="access of pushes and schedules",
        relies_on="Pub/Sub and Cloud Scheduler may call the services",
        look=partial(_callers, project),
        meaning="every push is refused with 403: messages wait, and are dead-lettered after 100 attempts",
        remedy="run `terraform apply`",
    )
    yield Check(
        name="access of dead letters",
        relies_on="Pub/Sub's service agent may publish dead letters and ack them at their subscription",
        look=partial(_dead_letters, project),
        meaning="a message whose attempts are spent is retried for ever instead of reaching the dead-letter topic",
        remedy="run `terraform apply`",
    )


def _identity(project: Project, access: Access, scratch: Scratch, name: str, secops_project: str) -> Finding:
    account = project.account(name)
    needs = access.identities[name]
    caller = project.access_as(account)
    try:
        lacking = [
            *_lacking(project, access, needs, caller, secops_project),
            *_bucket(project, access, needs, caller, partial(_probe, project, access, scratch, name)),
        ]
    except Denied as error:
        return unknown(f"acting as {account} needs roles/iam.serviceAccountTokenCreator on it: {error}")
    return passed_unless(lacking, f"{account} may do what it needs")


def _lacking(project: Project, access: Access, needs: Needs, caller: GoogleRest, secops_project: str) -> Iterator[str]:
    """Yield the permissions that an account lacks, tested with its own credentials."""
    projects = "cloudresourcemanager.googleapis.com/v3/projects"
    table = f"bigquery.googleapis.com/bigquery/v2/projects/{project.id}/datasets/{project.dataset}/tables/minutes"
    secret = f"secretmanager.googleapis.com/v1/projects/{project.id}/secrets/{project.secret}"
    yield from _lacking_on(caller, f"{projects}/{project.id}", access.permissions(needs.project))
    yield from _lacking_on(caller, table, access.permissions(needs.dataset))
    for topic in needs.topics:
        yield from _lacking_on(caller, project.topic_address(topic), PUBLISH)
    for subscription in needs.subscriptions:
        yield from _lacking_on(caller, project.subscription_address(subscription), CONSUME)
    yield from _lacking_on(caller, secret, access.permissions(needs.secret))
    if secops_project:
        yield from _lacking_on(caller, f"{projects}/{secops_project}", access.permissions(needs.secops))


def _lacking_on(caller: GoogleRest, resource: str, wanted: Sequence[str]) -> Iterator[str]:
    if not wanted:
        return
    try:
        answer = caller.post(f"{resource}:testIamPermissions", {"permissions": wanted})
    except NotThere:
        yield f"{resource} does not exist, or its existence is hidden from the account"
        return
    yield from _missing(answer, wanted, resource.partition("/")[2])


def _missing(answer: Json, wanted: Sequence[str], where: str) -> Iterator[str]:
    granted = listed(answer, "permissions")
    if missing := [permission for permission in wanted if permission not in granted]:
        yield f"lacks {', '.join(missing)} on {where}"


def _bucket(
    project: Project, access: Access, needs: Needs, caller: GoogleRest, probe: Callable[[str], str]
) -> Iterator[str]:
    bucket = f"storage.googleapis.com/storage/v1/b/{project.bucket}"
    if wanted := access.permissions(role for role in _WHOLE_BUCKET if needs.bucket.get(role)):
        answer = caller.get(f"{bucket}/iam/testPermissions", permissions=wanted)
        yield from _missing(answer, wanted, f"bucket {project.bucket}")
    for role in (_CREATOR, _USER):
        for prefix in needs.prefixes(role, project.feeds):
            try:
                # A role with a condition shows only in a real call.
                create(caller, project.bucket, probe(prefix))
            except Denied:
                yield f"may not create objects below {prefix} in bucket {project.bucket}"


def _probe(project: Project, access: Access, scratch: Scratch, service: str, prefix: str) -> str:
    """Return a name below a prefix for an object of this service, which is removed at the end."""
    name = f"{prefix}{scratch.name}-{service}"
    scratch.remove_later(f"gs://{project.bucket}/{name}", partial(_remove, project, access, prefix, name))
    return name


def create(caller: GoogleRest, bucket: str, name: str) -> Json:
    """Create an object that must not exist; raises Denied or PreconditionNotMet."""
    address = f"storage.googleapis.com/upload/storage/v1/b/{bucket}/o"
    return caller.upload(address, b"{}", uploadType="media", name=name, ifGenerationMatch="0")


def _remove(project: Project, access: Access, prefix: str, name: str) -> None:
    """Delete an object as the identity that may delete below its prefix."""
    owner = next(
        (
            name
            for name, needs in access.identities.items()
            if name in project.topology.services and prefix in needs.prefixes(_USER, project.feeds)
        ),
        None,
    )
    caller = project.access_as(project.account(owner)) if owner else project.google
    remove(caller, project.bucket, name)


def remove(caller: GoogleRest, bucket: str, name: str) -> None:
    """Delete an object, if it exists."""
    caller.delete(f"storage.googleapis.com/storage/v1/b/{bucket}/o/{quote(name, safe='')}")


def _callers(project: Project) -> Finding:
    problems: list[str] = []
    for name, one in project.topology.subscriptions.items():
        if one.push:
            found = project.google.get(project.subscription_address(name))
            account = look_up(found, "pushConfig.oidcToken.serviceAccountEmail")
            problems += _may_call(project, account, one.push.service, f"subscription {project.named(name)}")
    for name, schedule in project.topology.schedules.items():
        found = project.google.get(project.job_address(name))
        account = look_up(found, "httpTarget.oidcToken.serviceAccountEmail")
        problems += _may_call(project, account, schedule.service, f"schedule {project.named(name)}")
    return passed_unless(problems, "every push and schedule may call its service")


def _may_call(project: Project, account: object, service: str, who: str) -> Iterator[str]:
    if not account:
        yield f"{who} calls {service} without a token"
    elif not _bound(project, project.service_address(service), "roles/run.invoker", f"serviceAccount:{account}"):
        yield f"{account}, which {who} calls as, lacks roles/run.invoker on {project.named(service)}"


def _dead_letters(project: Project) -> Finding:
    agent = project.pubsub_agent()
    problems: list[str] = []
    for name, one in project.topology.subscriptions.items():
        if one.dead_letter is None:
            continue
        if not _bound(project, project.topic_address(one.dead_letter.topic), "roles/pubsub.publisher", agent):
            problems.append(f"the agent lacks roles/pubsub.publisher on {project.named(one.dead_letter.topic)}")
        if not _bound(project, project.subscription_address(name), "roles/pubsub.subscriber", agent):
            problems.append(f"the agent lacks roles/pubsub.subscriber on {project.named(name)}")
    return passed_unless(problems, f"{agent} may")


def _bound(project: Project, resource: str, role: str, member: str) -> bool:
    """Return whether a member has a role on a resource, or on the whole project."""
    if _binds(project.google.get(f"{resource}:getIamPolicy"), role, member):
        return True
    whole = f"cloudresourcemanager.googleapis.com/v3/projects/{project.id}:getIamPolicy"
    return _binds(project.google.post(whole, {}), role, member)


def _binds(policy: Json, role: str, member: str) -> bool:
    return any(look_up(one, "role") == role and member in listed(one, "members") for one in listed(policy, "bindings"))
