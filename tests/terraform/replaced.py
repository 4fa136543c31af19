"""Arguments whose change replaces a resource, and arguments that keep their value when they are left out.

From the provider's documentation: "Changing this forces a new resource to be created". This holds for every argument of
a grant, and every trigger of time_sleep.
"""

_GRANT = ("member", "role", "condition")

FORCE_NEW = {
    "google_artifact_registry_repository": ("project", "location", "repository_id", "kms_key_name", "format"),
    "google_bigquery_dataset": ("project", "dataset_id", "location"),
    "google_billing_budget": ("billing_account",),
    "google_cloud_run_v2_job": ("project", "location", "name"),
    "google_cloud_run_v2_job_iam_member": (*_GRANT, "project", "location", "name"),
    "google_cloud_run_v2_service": ("project", "location", "name"),
    "google_cloud_run_v2_service_iam_member": (*_GRANT, "project", "location", "name"),
    "google_cloud_scheduler_job": ("project", "region", "name"),
    "google_kms_crypto_key_iam_member": (*_GRANT, "crypto_key_id"),
    "google_logging_metric": ("project", "name"),
    "google_monitoring_alert_policy": ("project",),
    "google_monitoring_notification_channel": ("project",),
    "google_project_iam_custom_role": ("project", "role_id"),
    "google_project_iam_member": (*_GRANT, "project"),
    "google_project_service": ("project", "service"),
    "google_project_service_identity": ("project", "service"),
    "google_pubsub_subscription": ("project", "name", "topic"),
    "google_pubsub_subscription_iam_member": (*_GRANT, "project", "subscription"),
    "google_pubsub_topic": ("project", "name"),
    "google_pubsub_topic_iam_member": (*_GRANT, "project", "topic"),
    "google_secret_manager_secret": ("project", "secret_id", "replication"),
    "google_secret_manager_secret_iam_member": (*_GRANT, "secret_id"),
    "google_service_account": ("project", "account_id"),
    "google_service_account_iam_member": (*_GRANT, "service_account_id"),
    "google_storage_bucket": ("project", "name", "location"),
    "google_storage_bucket_iam_member": (*_GRANT, "bucket"),
    "time_sleep": ("triggers",),
}

# Blocks that the provider reads back when the configuration does not have them.
KEPT_BLOCKS = {"google_bigquery_dataset": ("access",), "google_cloud_run_v2_service": ("traffic",)}
