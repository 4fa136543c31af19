"""Google's answers for attributes that only it knows: ids in the provider's format, addresses, e-mails."""

import json
from collections.abc import Mapping
from typing import Any

import msgpack

PROJECT_NUMBER = "123456789012"
# Terraform's word for what is known only after an apply.
UNKNOWN = msgpack.ExtType(0, b"\x00")

_PATHS = {
    "google_artifact_registry_repository": "projects/{project}/locations/{location}/repositories/{repository_id}",
    "google_bigquery_dataset": "projects/{project}/datasets/{dataset_id}",
    "google_billing_budget": "billingAccounts/{billing_account}/budgets/{display_name}",
    "google_cloud_run_v2_job": "projects/{project}/locations/{location}/jobs/{name}",
    "google_cloud_run_v2_service": "projects/{project}/locations/{location}/services/{name}",
    "google_cloud_scheduler_job": "projects/{project}/locations/{region}/jobs/{name}",
    "google_logging_metric": "{name}",
    "google_monitoring_alert_policy": "projects/{project}/alertPolicies/{display_name}",
    "google_monitoring_dashboard": "projects/{project}/dashboards/{title}",
    "google_monitoring_notification_channel": "projects/{project}/notificationChannels/{display_name}",
    "google_project_iam_custom_role": "projects/{project}/roles/{role_id}",
    "google_project_service": "{project}/{service}",
    "google_project_service_identity": "projects/{project}/services/{service}",
    "google_pubsub_subscription": "projects/{project}/subscriptions/{name}",
    "google_pubsub_topic": "projects/{project}/topics/{name}",
    "google_secret_manager_secret": "projects/{project}/secrets/{secret_id}",
    "google_service_account": "projects/{project}/serviceAccounts/{account_id}@{project}.iam.gserviceaccount.com",
    "google_storage_bucket": "{name}",
    "time_sleep": "{triggers}",
}
# What a grant is on, by the attribute that names it.
_TARGETS = ("topic", "subscription", "bucket", "secret_id", "name", "service_account_id", "crypto_key_id", "project")
AGENTS = {
    "artifactregistry.googleapis.com": "gcp-sa-artifactregistry",
    "pubsub.googleapis.com": "gcp-sa-pubsub",
    "run.googleapis.com": "serverless-robot-prod",
    "secretmanager.googleapis.com": "gcp-sa-secretmanager",
}


def answered(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the computed attributes of a resource or data source; those that depend on unknown values are unknown."""
    name = identity(kind, given)
    home = given.get("project") or given.get("project_id")
    found: dict[str, Any] = {"id": name}
    match kind:
        case "google_service_account":
            found |= {"name": name, **_account(f"{given['account_id']}@{home}.iam.gserviceaccount.com")}
        case "google_cloud_run_v2_service":
            found |= {"uri": f"https://{given['name']}-abc.a.run.app"}
        case "google_project_iam_custom_role":
            found |= {"name": name}
        case "google_project_service_identity":
            agent = AGENTS[given["service"]]
            found |= _account(f"service-{PROJECT_NUMBER}@{agent}.iam.gserviceaccount.com")
        case "google_project":
            found = {"id": f"projects/{home}", "number": PROJECT_NUMBER}
        case "google_storage_project_service_account":
            account = _account(f"service-{PROJECT_NUMBER}@gs-project-accounts.iam.gserviceaccount.com")
            found = {"id": account["email"], "email_address": account["email"], "member": account["member"]}
        case "google_bigquery_default_service_account":
            found = {"id": home, **_account(f"bq-{PROJECT_NUMBER}@bigquery-encryption.iam.gserviceaccount.com")}
    return found


def identity(kind: str, given: Mapping[str, Any]) -> Any:
    """Return the id of a resource, or UNKNOWN."""
    if "_iam_" in kind and kind not in _PATHS:
        target = next((given[one] for one in _TARGETS if given.get(one)), None)
        # Grants of one role under two conditions are two, told apart by the title.
        titles = [one["title"] for one in given.get("condition") or ()]
        parts = [target, given["role"], given["member"], *titles]
        return UNKNOWN if UNKNOWN in parts else " ".join(map(str, parts))
    path = _PATHS.get(kind, "")
    board = given.get("dashboard_json")
    given = {**given, "title": json.loads(board)["displayName"] if board and board != UNKNOWN else UNKNOWN}
    named = {name: value for name, value in given.items() if f"{{{name}}}" in path}
    return UNKNOWN if UNKNOWN in named.values() else path.format_map(named)


def _account(email: str) -> dict[str, str]:
    return {"email": email, "member": f"serviceAccount:{email}"}
