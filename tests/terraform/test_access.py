"""Least privilege: every role has a call that needs it, and every call to Google has its role."""

import pytest

from infra.topology import read_topology
from tests.terraform.code import read_module
from tests.terraform.conftest import EVERYTHING, OPERATOR
from tests.terraform.planned import Plan
from tests.terraform.reach import Reach
from tests.terraform.rights import access, entries, granted, held, needed, reach_of

IDENTITIES = sorted(entries())


def test_every_service_has_an_identity_of_its_own() -> None:
    """And so has the job that makes tables."""
    assert set(access()["identities"]) == {*read_topology().services, "provision"}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_call_to_google_is_known(identity: str) -> None:
    """A network call that access.yaml does not explain has no role yet."""
    assert reach_of(identity).unknown == set()


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_call_has_its_role(identity: str) -> None:
    """Else a service would be refused in the cloud, and only there."""
    assert needed(identity) - held(granted(identity)) == set()


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_role_is_justified_by_a_call(identity: str) -> None:
    """A right that no code uses is one that only an intruder uses."""
    assert granted(identity) - needed(identity) == set()


def test_every_explained_call_exists_and_is_reached() -> None:
    """An explanation outlives its call otherwise, and with it a role."""
    reached = {call for identity in IDENTITIES for call in reach_of(identity).calls}
    assert set(access()["calls"]) - reached == set()


def test_a_call_that_nobody_has_explained_is_found() -> None:
    """The search itself works: without its explanation, what reads an object is a find."""
    found = Reach(frozenset(access()["calls"]) - {"shared.gcp.storage.StorageBucket.read"})
    found.follow("services.downloader.main", {"download"})
    assert "shared.gcp.storage.StorageBucket.read" in found.unknown


def test_two_targets_of_one_source_are_told_apart() -> None:
    """The service that records dead letters starts no load job, though both are one file."""
    module = read_module("services.loader.main")
    assert module
    assert {"load", "dead"} <= set(module.functions)
    assert "shared.gcp.staging.BigQueryStaging.begin" in reach_of("loader").calls
    assert "shared.gcp.staging.BigQueryStaging.begin" not in reach_of("loader-dead").calls


def _members(plan: Plan) -> dict[str, set[str]]:
    """Return every grant of the plan by member, in the words of access.yaml."""
    found: dict[str, set[str]] = {}
    places = {
        "google_project_iam_member": "project",
        "google_bigquery_dataset_iam_member": "dataset",
        "google_storage_bucket_iam_member": "bucket",
        "google_pubsub_topic_iam_member": "topic",
        "google_pubsub_subscription_iam_member": "subscription",
        "google_secret_manager_secret_iam_member": "secret",
        "google_cloud_run_v2_service_iam_member": "service",
        "google_service_account_iam_member": "account",
    }
    for one in plan.resources:
        if "_iam_" not in one["type"] or "custom_role" in one["type"]:
            continue
        values = one["values"]
        where = "secops" if one["address"].startswith("google_project_iam_member.secops") else places[one["type"]]
        what = values["role"].rpartition("/roles/")[2] if "/roles/gti" in values["role"] else values["role"]
        if where == "topic":
            what = values["topic"]
        elif where == "service":
            what = values["name"]
        found.setdefault(values["member"], set()).add(f"{where} {what}")
    return found


def _account(name: str) -> str:
    return f"serviceAccount:gti-mesh-{name}@my-project.iam.gserviceaccount.com"


@pytest.mark.parametrize("identity", [name for name in IDENTITIES if name != "operator"])
def test_terraform_grants_what_access_says_and_no_more(full_plan: Plan, identity: str) -> None:
    """Roles reach a service account only by access.yaml."""
    assert _members(full_plan).get(_account(identity), set()) == granted(identity)


def test_operators_may_use_the_command_and_see_the_page(full_plan: Plan) -> None:
    """Without a key of any service account."""
    assert _members(full_plan)[OPERATOR] == {*granted("operator"), "service console"}


def test_nobody_else_is_granted_anything(full_plan: Plan) -> None:
    """Beside the services and operators: who pushes, who calls by the clock, and Pub/Sub's own agent."""
    members = _members(full_plan)
    known = {_account(name) for name in access()["identities"]}
    others = {member: rights for member, rights in members.items() if member not in known | {OPERATOR}}
    topology = read_topology()
    pushed = {f"service {one.push.service}" for one in topology.subscriptions.values() if one.push}
    called = {f"service {one.service}" for one in topology.schedules.values()}
    dead = {f"topic {one.dead_letter.topic}" for one in topology.subscriptions.values() if one.dead_letter}
    assert others == {
        _account("push"): pushed,
        _account("scheduler"): called,
        "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com": {
            *dead,
            "subscription roles/pubsub.subscriber",
            "account roles/iam.serviceAccountTokenCreator",
        },
    }


def test_writers_write_only_below_their_folders(full_plan: Plan) -> None:
    """Who may write anywhere in the bucket could change the state of the others."""
    bucket = EVERYTHING["landing_bucket"]
    grants = full_plan.all("google_storage_bucket_iam_member")
    writing = {key: one for key, one in grants.items() if one["role"].endswith(("objectUser", "objectCreator"))}
    assert writing
    assert all(one["condition"] for one in writing.values())
    folder = f"projects/_/buckets/{bucket}/objects"
    assert [one["expression"] for one in writing["downloader roles/storage.objectUser"]["condition"]] == [
        f'resource.name.startsWith("{folder}/domains/") || resource.name.startsWith("{folder}/files/")'
    ]
    assert [one["expression"] for one in writing["planner roles/storage.objectUser"]["condition"]] == [
        f'resource.name.startsWith("{folder}/state/planner/")'
    ]


def test_roles_of_our_own_hold_only_what_they_name(full_plan: Plan) -> None:
    """The import of logs in the project of the SecOps instance, the ledger's in the mesh's."""
    roles = full_plan.all("google_project_iam_custom_role")
    assert {name: (one["project"], sorted(one["permissions"])) for name, one in roles.items()} == {
        "gtiMeshLedgerWriter": ("my-project", ["bigquery.tables.get", "bigquery.tables.updateData"]),
        "gtiMeshLogImporter": ("secops-project", ["chronicle.logs.import"]),
    }
