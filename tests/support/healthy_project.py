"""A project in which every check passes: what Google's APIs would answer for the declared topology."""

from collections.abc import Mapping

from infra.doctor.access import Access, read_access
from infra.doctor.project import Project
from infra.topology import Schedule, Subscription, read_topology
from shared.feeds.definition import find_feed
from shared.warehouse.provision import declaration, views
from shared.warehouse.tables import LEDGER, feed_tables
from tests.support.google_double import Answer, Asked, GoogleDouble

ID, REGION, BUCKET, DATASET, NUMBER = "p1", "europe-west4", "landing", "vt_feeds", "4711"
FEEDS = ("domains",)
AGENT = f"serviceAccount:service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
PUSH, SCHEDULER = "push@p1.iam", "scheduler@p1.iam"
RUN = f"run.googleapis.com/v2/projects/{ID}/locations/{REGION}/services"
PUBSUB = f"pubsub.googleapis.com/v1/projects/{ID}"
JOBS = f"cloudscheduler.googleapis.com/v1/projects/{ID}/locations/{REGION}/jobs"
WHOLE = f"cloudresourcemanager.googleapis.com/v3/projects/{ID}"
TABLES = f"bigquery.googleapis.com/bigquery/v2/projects/{ID}/datasets/{DATASET}"
STORAGE = f"storage.googleapis.com/storage/v1/b/{BUCKET}"
UPLOAD = f"POST storage.googleapis.com/upload/storage/v1/b/{BUCKET}/o"


def account(service: str) -> str:
    """Return a service's account."""
    return f"{service}@p1.iam"


def uri(service: str) -> str:
    """Return a service's address."""
    return f"https://{service}.run.app"


def project(double: GoogleDouble) -> Project:
    """Return the project behind a double; every identity is the same double."""
    return Project(
        id=ID,
        region=REGION,
        prefix="",
        bucket=BUCKET,
        dataset=DATASET,
        secret="vt-api-key",
        feeds=FEEDS,
        topology=read_topology(),
        google=double.access(),
        access_as=lambda _: double.access(),
    )


def healthy() -> GoogleDouble:
    """Return a double of a project that is as declared."""
    double = GoogleDouble()
    topology = read_topology()
    _grants(double, read_access())
    for name in topology.services:
        double.answers[f"GET {RUN}/{name}"] = _service(name)
        double.answers[f"GET {RUN}/{name}:getIamPolicy"] = _policy("roles/run.invoker", PUSH, SCHEDULER)
    for name, one in topology.subscriptions.items():
        double.answers[f"GET {PUBSUB}/subscriptions/{name}"] = _subscription(one)
        double.answers[f"GET {PUBSUB}/subscriptions/{name}:getIamPolicy"] = _agent("roles/pubsub.subscriber")
    for name in topology.topics:
        double.answers[f"GET {PUBSUB}/topics/{name}:getIamPolicy"] = _agent("roles/pubsub.publisher")
    for name, schedule in topology.schedules.items():
        double.answers[f"GET {JOBS}/{name}"] = _job(schedule)
    double.answers[f"GET serviceusage.googleapis.com/v1/projects/{ID}/services:batchGet"] = _apis
    _stores(double)
    _quotas(double)
    return double


def _grants(double: GoogleDouble, access: Access) -> None:
    double.answers[f"GET {WHOLE}"] = {"name": f"projects/{NUMBER}"}
    double.answers[f"POST {WHOLE}:getIamPolicy"] = {}
    resources = [WHOLE, f"{TABLES}/tables/minutes", f"secretmanager.googleapis.com/v1/projects/{ID}/secrets/vt-api-key"]
    resources += [f"{PUBSUB}/topics/{topic}" for needs in access.identities.values() for topic in needs.topics]
    resources += [
        f"{PUBSUB}/subscriptions/{name}" for needs in access.identities.values() for name in needs.subscriptions
    ]
    for resource in resources:
        double.answers[f"POST {resource}:testIamPermissions"] = _granted
    double.answers[f"GET {STORAGE}/iam/testPermissions"] = lambda asked: {"permissions": asked.query["permissions"]}
    double.answers[UPLOAD] = created_once()


def _granted(asked: Asked) -> Answer:
    assert isinstance(asked.body, dict)
    return asked.body


def created_once() -> Answer:
    """Return an answer that creates each object once, and then refuses with 412."""
    names: set[str] = set()

    def create(asked: Asked) -> Answer:
        [name] = asked.query["name"]
        if name in names:
            return 412, {"error": {"message": "conditionNotMet"}}
        names.add(name)
        return {"name": name}

    return create


def _service(name: str) -> Answer:
    return {
        "uri": uri(name),
        "template": {"serviceAccount": account(name)},
        "terminalCondition": {"state": "CONDITION_SUCCEEDED"},
        "trafficStatuses": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
    }


def _policy(role: str, *emails: str) -> Answer:
    return {"bindings": [{"role": role, "members": [f"serviceAccount:{email}" for email in emails]}]}


def _agent(role: str) -> Answer:
    return {"bindings": [{"role": role, "members": [AGENT]}]}


def _subscription(one: Subscription) -> Answer:
    found: dict[str, object] = {
        "topic": f"projects/{ID}/topics/{one.topic}",
        "ackDeadlineSeconds": one.ack_deadline_seconds,
        "messageRetentionDuration": f"{one.retention_seconds}s",
        "expirationPolicy": {},
    }
    if one.filter:
        found["filter"] = one.filter
    if one.push:
        token = {"serviceAccountEmail": PUSH, "audience": uri(one.push.service)}
        found["pushConfig"] = {"pushEndpoint": uri(one.push.service) + one.push.path, "oidcToken": token}
    if one.backoff:
        found["retryPolicy"] = {
            "minimumBackoff": f"{one.backoff.minimum_seconds}s",
            "maximumBackoff": f"{one.backoff.maximum_seconds}s",
        }
    if one.dead_letter:
        found["deadLetterPolicy"] = {
            "deadLetterTopic": f"projects/{ID}/topics/{one.dead_letter.topic}",
            "maxDeliveryAttempts": one.dead_letter.max_attempts,
        }
    return found


def _job(schedule: Schedule) -> Answer:
    return {
        "state": "ENABLED",
        "schedule": schedule.cron,
        "httpTarget": {
            "uri": uri(schedule.service) + schedule.path,
            "oidcToken": {"serviceAccountEmail": SCHEDULER},
        },
    }


def _apis(asked: Asked) -> Answer:
    return {
        "services": [{"config": {"name": name.rpartition("/")[2]}, "state": "ENABLED"} for name in asked.query["names"]]
    }


def _stores(double: GoogleDouble) -> None:
    double.answers[f"GET {STORAGE}"] = {"location": "EU"}
    double.answers[f"GET {TABLES}"] = {"location": "EU"}
    for table in (LEDGER, *(table for feed in FEEDS for table in feed_tables(find_feed(feed)))):
        double.answers[f"GET {TABLES}/tables/{table.name}"] = declaration(f"{ID}.{DATASET}", table).to_api_repr()
    for name, _ in views(f"{ID}.{DATASET}", [find_feed(feed) for feed in FEEDS]):
        double.answers[f"GET {TABLES}/tables/{name}"] = {"type": "VIEW"}


def _quotas(double: GoogleDouble) -> None:
    for service, metric, value in (("run", "cpu_allocation", "200000"), ("pubsub", "regionalpublisher", "3000000")):
        infos = {"quotaInfos": [_quota(f"{service}.googleapis.com/{metric}", value)]}
        base = f"cloudquotas.googleapis.com/v1/projects/{ID}/locations/global/services"
        double.answers[f"GET {base}/{service}.googleapis.com/quotaInfos"] = infos


def _quota(metric: str, value: str) -> Mapping[str, object]:
    return {"metric": metric, "dimensionsInfos": [{"details": {"value": value}, "applicableLocations": [REGION]}]}
