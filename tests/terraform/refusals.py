"""Refusals by Google, from its documentation, the provider's source or public reports; each rule names its source."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.terraform.cloud import LATEST, SERVICE, Cloud, RefusedByGoogleError, Values

# An API that was switched on refuses its first calls; a new account is not known everywhere. Minutes at the most.
_API_SECONDS = 60
_ACCOUNT_SECONDS = 60
# cloud.google.com/kms/docs/consistency: changes of access take effect within 60 seconds as a rule.
_KEY_SECONDS = 60
# github.com/hashicorp/terraform-provider-google/issues/11102
_METRIC_SECONDS = 600

_APIS = {
    "google_artifact_registry_": "artifactregistry",
    "google_bigquery_": "bigquery",
    "google_billing_": "billingbudgets",
    "google_cloud_run_": "run",
    "google_cloud_scheduler_": "cloudscheduler",
    "google_kms_": "cloudkms",
    "google_logging_": "logging",
    "google_monitoring_": "monitoring",
    "google_project_iam_custom_role": "iam",
    "google_pubsub_": "pubsub",
    "google_secret_manager_": "secretmanager",
    "google_service_account": "iam",
    "google_storage_": "storage",
}
# What a grant is on: the type, and the attribute that names it.
_TARGETS = {
    "google_cloud_run_v2_job_iam_member": ("google_cloud_run_v2_job", "name"),
    "google_cloud_run_v2_service_iam_member": (SERVICE, "name"),
    "google_pubsub_subscription_iam_member": ("google_pubsub_subscription", "subscription"),
    "google_pubsub_topic_iam_member": ("google_pubsub_topic", "topic"),
    "google_secret_manager_secret_iam_member": ("google_secret_manager_secret", "secret_id"),
    "google_service_account_iam_member": ("google_service_account", "service_account_id"),
    "google_storage_bucket_iam_member": ("google_storage_bucket", "bucket"),
}
# What gcp.restrictNonCmekServices looks at (cloud.google.com/kms/docs/cmek-org-policy), by where the key stands.
_ENCRYPTED = {
    "google_artifact_registry_repository": "kms_key_name",
    "google_bigquery_dataset": "default_encryption_configuration",
    SERVICE: "template.encryption_key",
    "google_cloud_run_v2_job": "template.template.encryption_key",
    "google_pubsub_topic": "kms_key_name",
    "google_secret_manager_secret": "replication.user_managed.replicas.customer_managed_encryption",
    "google_storage_bucket": "encryption",
}


Rule = Callable[[Cloud, str, Values], Iterator[str]]


def check_write(cloud: Cloud, kind: str, values: Values) -> None:
    """Raise RefusedByGoogleError when the project refuses to create or change a resource."""
    for rule in _RULES:
        for refusal in rule(cloud, kind, values):
            raise RefusedByGoogleError(refusal)


def check_delete(values: Values) -> None:
    """Raise RefusedByGoogleError when a resource is protected."""
    if values.get("deletion_protection"):
        raise RefusedByGoogleError(f"cannot destroy {values['name']} without setting deletion_protection=false")


def _api_off(cloud: Cloud, kind: str, _: Values) -> Iterator[str]:
    api = next((api for start, api in _APIS.items() if kind.startswith(start)), None)
    if api and not _known(cloud, "google_project_service", f"my-project/{api}.googleapis.com", _API_SECONDS):
        yield f"Error 403: {api}.googleapis.com has not been used in project my-project before or it is disabled"


def _no_target(cloud: Cloud, kind: str, values: Values) -> Iterator[str]:
    target, attribute = _TARGETS.get(kind, ("", ""))
    ends = (f"/{values[attribute]}", str(values[attribute])) if target else ()
    if target and not any(name.endswith(ends) for name, _ in cloud.of(target)):
        yield f"Error 404: {target} {values[attribute]} was not found"


def _no_account(cloud: Cloud, kind: str, values: Values) -> Iterator[str]:
    for email in _accounts(kind, values):
        if not _account_known(cloud, email):
            yield f"Error 400: Service account {email} does not exist"


def _young_metric(cloud: Cloud, kind: str, values: Values) -> Iterator[str]:
    if kind == "google_monitoring_alert_policy":
        for metric in re.findall(r"logging\.googleapis\.com/user/([\w/]+)", str(values["conditions"])):
            if not _known(cloud, "google_logging_metric", metric, _METRIC_SECONDS):
                yield f"Error 404: Cannot find metric(s) that match type = {metric}"


def _no_topic(cloud: Cloud, kind: str, values: Values) -> Iterator[str]:
    if kind == "google_pubsub_subscription":
        topics = {name for name, _ in cloud.of("google_pubsub_topic")}
        named = {values["topic"], *(one["dead_letter_topic"] for one in values["dead_letter_policy"])}
        yield from (f"Error 404: {topic} was not found" for topic in named - topics)


def _no_key(cloud: Cloud, kind: str, values: Values) -> Iterator[str]:
    grants = cloud.of("google_kms_crypto_key_iam_member")
    if _key(kind, values) and not any(cloud.clock.now - one.made_at >= _KEY_SECONDS for _, one in grants):
        yield f"Error 403: the service agent may not use the key {_key(kind, values)}"


def _wrong_revision(cloud: Cloud, kind: str, values: Values) -> Iterator[str]:
    if kind not in (SERVICE, "google_cloud_run_v2_job"):
        return
    template = values["template"][0] if kind == SERVICE else values["template"][0]["template"][0]
    image = template["containers"][0]["image"]
    if not cloud.has_image(image):
        yield f"Error 400: Image '{image}' not found"
    shares = values.get("traffic") or ()
    if shares and sum(one["percent"] for one in shares) != 100:
        yield "Error 400: traffic percentages must sum to 100"
    if any(one["type"] != LATEST and not one["revision"] for one in shares):
        yield "Error 400: a revision is missing"


def _against_policy(cloud: Cloud, kind: str, values: Values) -> Iterator[str]:
    everywhere = kind == "google_secret_manager_secret" and values["replication"][0]["auto"]
    if "gcp.resourceLocations" in cloud.policies and everywhere:
        yield "Error 400: constraints/gcp.resourceLocations: 'global' violates the constraint"
    if "run.allowedIngress" in cloud.policies and values.get("ingress") == "INGRESS_TRAFFIC_ALL":
        yield "Error 400: constraints/run.allowedIngress: all is not allowed"
    if "gcp.restrictNonCmekServices" in cloud.policies and kind in _ENCRYPTED and not _key(kind, values):
        yield "Error 412: constraints/gcp.restrictNonCmekServices: a key is needed"


def _accounts(kind: str, values: Values) -> Iterator[str]:
    members = [values.get("member") or ""] if "_iam_" in kind else []
    yield from (member.partition(":")[2] for member in members if member.startswith("serviceAccount:"))
    for one in values.get("access") or ():
        if not any(one.get(name) for name in ("user_by_email", "group_by_email", "iam_member", "special_group")):
            yield "of no kind"
        yield from (email for email in [one.get("user_by_email")] if email and email.endswith("gserviceaccount.com"))


def _account_known(cloud: Cloud, email: str) -> bool:
    if email.startswith("bq-") or "gs-project-accounts" in email:
        # To ask for these is what makes them.
        return True
    made = [*cloud.of("google_service_account"), *cloud.of("google_project_service_identity")]
    return any(
        thing.values["email"] == email and cloud.clock.now - thing.made_at >= _ACCOUNT_SECONDS for _, thing in made
    )


def _key(kind: str, values: Values) -> Any:
    """Return the value at the place of a customer-managed key."""
    found: Any = values
    for name in _ENCRYPTED[kind].split(".") if kind in _ENCRYPTED else ():
        found = found[0] if isinstance(found, list) and found else found
        found = found.get(name) if isinstance(found, dict) else None
    return None if found is values else found or None


def _known(cloud: Cloud, kind: str, name: str, seconds: float) -> bool:
    thing = cloud.things.get((kind, name))
    return thing is not None and cloud.clock.now - thing.made_at >= seconds


_RULES: tuple[Rule, ...] = (
    _api_off,
    _no_target,
    _no_account,
    _young_metric,
    _no_topic,
    _no_key,
    _wrong_revision,
    _against_policy,
)
