"""Stored data cannot be destroyed by an apply, read by others, or deleted by age while it is needed."""

from shared.contracts.minutes import landing_name, manifest_name
from shared.streams.page_log import page_name
from tests.support.doubles import NOON
from tests.terraform.configuration import blocks
from tests.terraform.planned import Plan

KEPT = {
    "google_bigquery_dataset.this",
    "google_pubsub_subscription.this",
    "google_secret_manager_secret.vt_api_key",
    "google_storage_bucket.landing",
}


def test_what_holds_data_refuses_to_be_destroyed() -> None:
    """Bucket, dataset, secret, and the subscriptions with their backlog refuse to be destroyed."""
    prevented = {
        block.address
        for block in blocks()
        if any(one.get("prevent_destroy") is True for one in block.body.get("lifecycle", ()))
    }
    assert prevented == KEPT


def test_a_destroyed_dataset_or_bucket_would_have_to_be_empty(plan: Plan) -> None:
    """A dataset or bucket can be destroyed only when it is empty; history is in the dataset's tables."""
    (dataset,) = plan.all("google_bigquery_dataset").values()
    (bucket,) = plan.all("google_storage_bucket").values()
    assert dataset["delete_contents_on_destroy"] is False
    assert bucket["force_destroy"] is False
    assert dataset["default_table_expiration_ms"] is None
    assert dataset["default_partition_expiration_ms"] is None


def test_services_are_protected_and_apis_stay_on(plan: Plan) -> None:
    """Services are protected and APIs stay enabled, unless overridden."""
    services = {**plan.all("google_cloud_run_v2_service"), **plan.all("google_cloud_run_v2_job")}
    assert all(one["deletion_protection"] for one in services.values())
    assert not any(one["disable_on_destroy"] for one in plan.all("google_project_service").values())


def test_the_bucket_is_nobody_elses(plan: Plan) -> None:
    """Access to the bucket is by IAM only and never public, and deleted objects can be restored for a week."""
    (bucket,) = plan.all("google_storage_bucket").values()
    assert bucket["uniform_bucket_level_access"] is True
    assert bucket["public_access_prevention"] == "enforced"
    assert [one["retention_duration_seconds"] for one in bucket["soft_delete_policy"]] == [7 * 86_400]


def deleted_by_age(plan: Plan, name: str) -> bool:
    """Return whether a lifecycle rule ever deletes an object of this name."""
    (bucket,) = plan.all("google_storage_bucket").values()
    return any(
        rule["action"][0]["type"] == "Delete"
        and name.startswith(tuple(condition["matches_prefix"]))
        and name.endswith(tuple(condition["matches_suffix"]))
        for rule in bucket["lifecycle_rule"]
        for condition in rule["condition"]
    )


def test_packages_leave_with_their_manifest(plan: Plan) -> None:
    """Packages and manifests are deleted together; otherwise every replay of the minute would be a dead letter."""
    assert deleted_by_age(plan, manifest_name("domains", NOON))
    assert deleted_by_age(plan, f"{landing_name('domains', NOON)}-0123456789ab.ndjson.gz")


def test_state_rejects_pages_and_dead_letters_stay(plan: Plan) -> None:
    """State, rejects, pages and dead letters are kept: rejects have no other copy, and streams need their last page."""
    stem = f"{landing_name('domains', NOON)}-0123456789ab"
    kept = [
        f"{stem}.rejects.ndjson",
        f"{stem}.load-rejects.ndjson",
        "state/planner/domains.json",
        "state/streams/ioc_stream.json",
        page_name("ioc_stream", 1),
        "dead/2026-11-21/feed-minutes-dead/17-141030123-44136fa355b3.json",
    ]
    assert [name for name in kept if deleted_by_age(plan, name)] == []


def test_the_key_is_made_by_hand(plan: Plan) -> None:
    """The key is added manually, since a version made by Terraform would be in its state file."""
    assert plan.all("google_secret_manager_secret")
    assert not plan.all("google_secret_manager_secret_version")


def test_releases_stay_and_nothing_pretends_to_delete_them(plan: Plan) -> None:
    """An image with an immutable tag cannot be deleted, so a cleanup policy would do nothing."""
    (repository,) = plan.all("google_artifact_registry_repository").values()
    assert repository["docker_config"] == [{"immutable_tags": True}]
    assert repository["cleanup_policies"] == []
