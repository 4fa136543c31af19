"""Least privilege: every role is needed by a call, and every call to Google has its role."""

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.topology import read_topology
from shared.feeds.definition import known_feeds
from tests.terraform.code import ROOT, read_module
from tests.terraform.conftest import ANALYST, EVERYTHING, OPERATOR
from tests.terraform.planned import Plan, workspace
from tests.terraform.reach import Reach
from tests.terraform.rights import access, entries, granted, needed, permissions_of, reach_of

IDENTITIES = sorted(entries())


def test_every_service_has_an_identity_of_its_own() -> None:
    """Every service, and the job that creates tables, has its own identity."""
    assert set(access()["identities"]) == {*read_topology().services, "provision"}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_call_to_google_is_known(identity: str) -> None:
    """Every network call is explained in access.yaml; otherwise it has no role yet."""
    assert reach_of(identity).unknown == set()


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_call_has_its_role(identity: str) -> None:
    """Every call has its role; otherwise a service would be refused only in the cloud."""
    assert needed(identity) - permissions_of(granted(identity)) == set()


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_role_is_justified_by_a_call(identity: str) -> None:
    """Every role is needed by a call: a permission that no code uses helps only an attacker."""
    assert granted(identity) - needed(identity) == set()


def test_every_explained_call_exists_and_is_reached() -> None:
    """Every explained call exists and is reached; otherwise its role would remain after the call."""
    reached = {call for identity in IDENTITIES for call in reach_of(identity).calls}
    assert set(access()["calls"]) - reached == set()


def test_a_call_that_nobody_has_explained_is_found() -> None:
    """The search itself works: without its explanation, the call that reads an object is reported."""
    found = Reach(frozenset(access()["calls"]) - {"shared.gcp.storage.StorageBucket.read"})
    found.follow("services.downloader.main", {"download"})
    assert "shared.gcp.storage.StorageBucket.read" in found.unknown


def test_two_targets_of_one_source_are_told_apart() -> None:
    """The service that records dead letters starts no load job, although both are in one file."""
    module = read_module("services.loader.main")
    assert module
    assert {"load", "dead"} <= set(module.functions)
    assert "shared.gcp.staging.BigQueryStaging.begin" in reach_of("loader").calls
    assert "shared.gcp.staging.BigQueryStaging.begin" not in reach_of("loader-dead").calls


def _members(plan: Plan) -> dict[str, set[str]]:
    """Return every grant of the plan by member, in the format of access.yaml."""
    found: dict[str, set[str]] = {}
    places = {
        "google_project_iam_member": "project",
        "google_storage_bucket_iam_member": "bucket",
        "google_cloud_run_v2_job_iam_member": "job",
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
        where = "secops" if ".google_project_iam_member.secops" in one["address"] else places[one["type"]]
        what = values["role"].rpartition("/roles/")[2] if "/roles/gti" in values["role"] else values["role"]
        if where == "topic":
            what = values["topic"]
        elif where == "service":
            what = f"{values['name']} {what}"
        found.setdefault(values["member"], set()).add(f"{where} {what}")
    for one in dataset_access(plan):
        found.setdefault(one["member"], set()).add(f"dataset {one['role']}")
    return found


def dataset_access(plan: Plan) -> list[dict[str, str]]:
    """Return the members and roles of the dataset, in IAM's format."""
    basic = {"READER": "roles/bigquery.dataViewer", "WRITER": "roles/bigquery.dataEditor"}
    (dataset,) = plan.all("google_bigquery_dataset").values()
    found = []
    for one in dataset["access"]:
        (member,) = (
            f"{kind}{one[name]}"
            for name, kind in (
                ("user_by_email", "serviceAccount:" if "gserviceaccount" in str(one["user_by_email"]) else "user:"),
                ("group_by_email", "group:"),
                ("iam_member", ""),
                ("special_group", ""),
            )
            if one[name]
        )
        found.append({"member": member, "role": basic.get(one["role"], one["role"].rpartition("/roles/")[2])})
    return found


def _account(name: str) -> str:
    return f"serviceAccount:gti-mesh-{name}@my-project.iam.gserviceaccount.com"


@pytest.mark.parametrize("identity", [name for name in IDENTITIES if name != "operator"])
def test_terraform_grants_what_access_says_and_no_more(full_plan: Plan, identity: str) -> None:
    """Service accounts get roles only through access.yaml."""
    assert _members(full_plan).get(_account(identity), set()) == granted(identity)


def test_operators_may_use_the_command_and_see_the_page(full_plan: Plan) -> None:
    """Operators may use the command and see the page without a service account key."""
    assert _members(full_plan)[OPERATOR] == granted("operator")


def test_nobody_else_is_granted_anything(full_plan: Plan) -> None:
    """The only other grants are for building, pushes, schedules and Pub/Sub's service agent."""
    members = _members(full_plan)
    known = {_account(name) for name in access()["identities"]}
    others = {member: rights for member, rights in members.items() if member not in known | {OPERATOR}}
    topology = read_topology()
    pushed = {f"service {one.push.service} roles/run.invoker" for one in topology.subscriptions.values() if one.push}
    called = {f"service {one.service} roles/run.invoker" for one in topology.schedules.values()}
    dead = {f"topic {one.dead_letter.topic}" for one in topology.subscriptions.values() if one.dead_letter}
    assert others == {
        ANALYST: {"dataset roles/bigquery.dataViewer"},
        "projectOwners": {"dataset OWNER"},
        _account("build"): {"project roles/cloudbuild.builds.builder"},
        _account("push"): pushed,
        _account("scheduler"): called,
        "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com": {
            *dead,
            "subscription roles/pubsub.subscriber",
            "account roles/iam.serviceAccountTokenCreator",
        },
    }


def test_writers_write_only_below_their_folders(full_plan: Plan) -> None:
    """Writers are limited to their folders; otherwise each could change the state of the others."""
    bucket = EVERYTHING["landing_bucket"]
    grants = full_plan.all("google_storage_bucket_iam_member")
    writing = {key: one for key, one in grants.items() if one["role"].endswith(("objectUser", "objectCreator"))}
    assert writing
    assert all(one["condition"] for one in writing.values())
    folder = f"projects/_/buckets/{bucket}/objects"
    feeds = [name for name, feed in known_feeds().items() if feed.source != "streams"]
    streams = [name for name, feed in known_feeds().items() if feed.source == "streams"]
    assert [one["expression"] for one in writing["downloader roles/storage.objectUser"]["condition"]] == [
        " || ".join(f'resource.name.startsWith("{folder}/{part}/")' for part in (*feeds, "state/feeds"))
    ]
    assert [one["expression"] for one in writing["downloader roles/storage.objectUser streams"]["condition"]] == [
        " || ".join(f'resource.name.startsWith("{folder}/{part}/")' for part in streams)
    ]
    assert [one["expression"] for one in writing["planner roles/storage.objectUser"]["condition"]] == [
        " || ".join(
            f'resource.name.startsWith("{folder}/{part}/")'
            for part in ("state/planner", "state/replays", "state/operators")
        )
    ]


def test_a_writer_of_streams_alone_is_granted_no_more(tmp_path: Path) -> None:
    """Without folders of its own a role would otherwise hold for the whole bucket."""
    with workspace(tmp_path) as configuration:
        file = configuration.folder.parents[1] / "access.yaml"
        given = deepcopy(dict(access()))
        given["identities"]["merger"]["bucket"] = {"roles/storage.objectUser": ["<streams>"]}
        file.write_text(yaml.safe_dump(given), encoding="utf-8")
        grants = configuration.plan().all("google_storage_bucket_iam_member")
    assert [name for name in grants if name.startswith("merger ")] == ["merger roles/storage.objectUser streams"]
    assert all(one["condition"] for one in grants.values() if one["role"] == "roles/storage.objectUser")


def test_conditions_are_short_enough_for_iam(full_plan: Plan) -> None:
    """12 logical operators at the most: cloud.google.com/iam/docs/conditions-overview."""
    conditions = [
        each for one in full_plan.all("google_storage_bucket_iam_member").values() for each in one["condition"]
    ]
    assert conditions
    assert max(one["expression"].count("||") for one in conditions) <= 12


def test_every_folder_of_state_has_one_writer() -> None:
    """A state object that the code writes without the permission would fail only in the cloud.

    Operators share two with the planner: replays, which they record and it deletes once finished, and the lock of the
    dead letters.
    """
    files = [file for part in ("services", "shared") for file in (ROOT / part).rglob("*.py")]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    named = {f"{folder}/" for folder in re.findall(r'"(state/[a-z]+)[/"]', code)}
    by_services = [prefix for one in access()["identities"].values() for prefix in written_state(one)]
    assert len(by_services) == len(set(by_services))
    # An operator opens a replay, and the planner brings it to its end.
    assert named == {*by_services, *written_state(access()["operator"])}


def written_state(given: Mapping[str, Any]) -> list[str]:
    """Return the folders of state that an entry of access.yaml may write."""
    roles = {
        role: prefixes for role, prefixes in given.get("bucket", {}).items() if role != "roles/storage.objectViewer"
    }
    return [prefix for prefixes in roles.values() for prefix in prefixes if prefix.startswith("state/")]


def test_roles_of_our_own_hold_only_what_they_name(full_plan: Plan) -> None:
    """Custom roles hold only the named permissions: importing logs in SecOps' project, the ledger's in the mesh's."""
    roles = full_plan.all("google_project_iam_custom_role")
    assert {name: (one["project"], sorted(one["permissions"])) for name, one in roles.items()} == {
        "gtiMeshLedgerWriter": ("my-project", ["bigquery.tables.get", "bigquery.tables.updateData"]),
        "gtiMeshLogImporter": ("secops-project", ["chronicle.logs.import"]),
        "gtiMeshLogTypeReader": ("secops-project", ["chronicle.logTypes.get"]),
        "gtiMeshSecOpsOperator": (
            "secops-project",
            ["chronicle.events.searchRawLogs", "chronicle.parsers.list", "chronicle.parsers.run"],
        ),
    }
