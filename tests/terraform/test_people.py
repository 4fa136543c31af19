"""Operators and analysts: every kind of member reaches the dataset, and the runbook's commands have their roles."""

import re

from tests.terraform.code import ROOT
from tests.terraform.planned import Plan, Workspace
from tests.terraform.rights import access


def test_every_permission_for_secops_that_the_code_names_is_in_a_role() -> None:
    """Every permission that an error message about SecOps names is in a custom role."""
    files = [file for part in ("services", "gti_mesh") for file in (ROOT / part).rglob("*.py")]
    named = {
        name for file in files for name in re.findall(r'"(chronicle\.[a-zA-Z.]+)"', file.read_text(encoding="utf-8"))
    }
    held = [name for role in access()["custom_roles"].values() if "secops" in role for name in role["permissions"]]
    assert named == set(held)


KINDS = {
    "user:one@example.org": ("user_by_email", "one@example.org"),
    "group:soc@example.org": ("group_by_email", "soc@example.org"),
    "serviceAccount:a@b.iam.gserviceaccount.com": ("user_by_email", "a@b.iam.gserviceaccount.com"),
    "principal://iam.googleapis.com/p": ("iam_member", "principal://iam.googleapis.com/p"),
    "principalSet://iam.googleapis.com/g": ("iam_member", "principalSet://iam.googleapis.com/g"),
}


def test_operators_and_analysts_of_every_kind_reach_the_dataset(configuration: Workspace) -> None:
    """Operators and analysts of every kind get access in the field of the access block that BigQuery accepts."""
    planned = configuration.plan(operators=list(KINDS), analysts=["group:analysts@example.org"])
    (dataset,) = planned.all("google_bigquery_dataset").values()
    found = {
        (name, one[name])
        for one in dataset["access"]
        for name in one
        if one[name] and name not in ("role", "special_group")
    }
    assert found >= {*KINDS.values(), ("group_by_email", "analysts@example.org")}


def test_the_datasets_grants_are_one_call(full_plan: Plan) -> None:
    """The dataset's grants are one call: BigQuery accepts 5 changes of a dataset in 10 seconds."""
    assert not [one for one in full_plan.resources if one["type"].startswith("google_bigquery_dataset_")]
    (dataset,) = full_plan.all("google_bigquery_dataset").values()
    roles = {one["role"] for one in dataset["access"]}
    assert roles == {"OWNER", "READER", "WRITER", "projects/my-project/roles/gtiMeshLedgerWriter"}


# What an owner of the project does, and no operator.
OWNERS = {"gcloud logging metrics create"}


def test_operators_have_the_roles_for_every_command_of_the_runbook() -> None:
    """access.yaml names each gcloud command of the page with what it needs, and none that the page does not have."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    found = re.findall(r"gcloud [^`\n|]+", page)
    known = {name for name in access()["commands"] if name.startswith("gcloud ")}
    used = {name for name in known | OWNERS if any(one.startswith(name) for one in found)}
    assert used == known | OWNERS
    assert [one for one in found if not one.startswith(tuple(used))] == []


def test_what_a_command_does_on_one_machine_only_has_a_form_for_the_cloud() -> None:
    """Schedules, tables, logs and the page: each row of the table has both."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    table = page.partition("## Commands in the cloud")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ") and "in the cloud" not in line]
    named = set(re.findall(r"`(?:gti-mesh )?([a-z]+)", " ".join(row[1] for row in rows)))
    assert named >= {"sweep", "merge", "plan", "provision", "logs", "up"}
    assert [row for row in rows if "`" not in row[2]] == []
