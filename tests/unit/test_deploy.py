"""docs/deploy.md is consistent with Terraform, the command and the tests that it names."""

import re

import yaml
from typer.main import get_command

from gti_mesh.main import app
from tests.support.paths import REPOSITORY

TERRAFORM = REPOSITORY / "infra/terraform"
PAGE = (REPOSITORY / "docs/deploy.md").read_text(encoding="utf-8")
DECLARED = "\n".join(file.read_text(encoding="utf-8") for file in TERRAFORM.glob("*.tf"))
TOPOLOGY = yaml.safe_load((REPOSITORY / "infra/topology.yaml").read_text(encoding="utf-8"))


def test_every_resource_it_names_exists() -> None:
    """Resources are named by type and name, as for `-target` and `state rm`."""
    declared = {".".join(found) for found in re.findall(r'^resource "(\w+)" "(\w+)"', DECLARED, re.MULTILINE)}
    named = set(re.findall(r"\b(google_\w+\.\w+)", PAGE))
    assert named
    assert named <= declared


def test_what_it_takes_down_or_leaves_is_what_is_protected() -> None:
    """A plan that omits a resource with data does not destroy it."""
    blocks = re.findall(r'^resource "(\w+)" "(\w+)" \{(.*?)^\}', DECLARED, re.MULTILINE | re.DOTALL)
    protected = {f"{kind}.{name}" for kind, name, block in blocks if re.search(r"prevent_destroy\s*=\s*true", block)}
    [removed] = re.findall(r"state rm (.+)", PAGE)
    assert set(removed.split()) == {f"module.mesh.{name}" for name in protected}


def test_every_variable_it_names_exists() -> None:
    """Variables are named as settings, and as `-var`."""
    variables = set(re.findall(r'^variable "(\w+)"', DECLARED, re.MULTILINE))
    named = set(re.findall(r"-var (\w+)=", PAGE)) | set(re.findall(r"`(\w+) = ", PAGE))
    named |= {"location", "feeds", "operators", "plan_back_minutes", "deletion_protection", "image", "region"}
    assert all(f"`{name}" in PAGE or f" {name}" in PAGE for name in named)
    assert named <= variables


def test_every_output_it_names_exists() -> None:
    """Outputs are named as for `terraform output`."""
    outputs = set(re.findall(r'^output "(\w+)"', DECLARED, re.MULTILINE))
    named = set(re.findall(r"output -json (\w+)", PAGE))
    assert named
    assert named <= outputs


def test_every_command_it_names_exists() -> None:
    """Every gti-mesh command on the page exists, with its options."""
    commands = getattr(get_command(app), "commands")  # noqa: B009 click's group type is not typer's to promise
    lines = re.findall(r"gti-mesh ((?:status|replay|audit|provision|dead)\b[^`\n&|]*)", PAGE)
    assert lines
    for line in lines:
        name, *rest = line.split()
        command = commands[name].commands[rest[0]] if name == "dead" else commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, line


def test_services_and_schedules_are_those_of_the_topology() -> None:
    """gcloud finds services and schedules by the names in the topology."""
    assert set(re.findall(r"gcloud scheduler jobs run (\S+)", PAGE)) <= set(TOPOLOGY["schedules"])
    assert set(re.findall(r"(?:services proxy|services update-traffic) (\S+)", PAGE)) <= set(TOPOLOGY["services"])
    [deleted] = re.findall(r"pubsub subscriptions delete ((?:[\w \\-]|\n  )+)", PAGE)
    assert set(deleted.replace("\\", " ").split()) == set(TOPOLOGY["subscriptions"])


def test_the_quota_it_names_is_what_the_services_may_use() -> None:
    """The page's quota is the CPU of all instances that the topology allows at once."""
    used = sum(one["instances"]["max"] * float(one["cpu"]) for one in TOPOLOGY["services"].values())
    assert f"up to {used:.0f} vCPU at once" in PAGE


def test_a_backfill_names_the_quota_that_it_needs() -> None:
    """The page's quota for a backfill is that of the simulated number of downloaders."""
    scale = (REPOSITORY / "docs/scale.md").read_text(encoding="utf-8")
    [count] = set(re.findall(r"hour by hour, (\d+) downloaders", scale))
    used = int(count) * float(TOPOLOGY["services"]["downloader"]["cpu"])
    assert f"{count} of them use up to {used:.0f} vCPU" in scale


def test_the_time_it_names_is_what_an_apply_waits_for() -> None:
    """The page's time is that of an apply without customer-managed keys; the metrics' wait runs in parallel."""
    waits = dict(re.findall(r'^resource "time_sleep" "(\w+)" \{.*?create_duration = "(\d+)s"', DECLARED, re.M | re.S))
    minutes = sum(int(waits[name]) for name in ("apis", "accounts", "metrics")) / 60
    assert f"at least {minutes:.0f} minutes in all, {int(waits['metrics']) / 60:.0f} of them" in PAGE
