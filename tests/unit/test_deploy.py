"""docs/deploy.md keeps up with the Terraform, the command and the tests that it names."""

import re
from pathlib import Path

import yaml
from typer.main import get_command

from services.console.main import app

REPOSITORY = Path(__file__).parents[2]
TERRAFORM = REPOSITORY / "infra/terraform"
PAGE = (REPOSITORY / "docs/deploy.md").read_text(encoding="utf-8")
DECLARED = "\n".join(file.read_text(encoding="utf-8") for file in TERRAFORM.glob("*.tf"))
TOPOLOGY = yaml.safe_load((REPOSITORY / "infra/topology.yaml").read_text(encoding="utf-8"))


def test_every_resource_it_names_exists() -> None:
    """By type and name, as `-target` and `state rm` take them."""
    declared = {".".join(found) for found in re.findall(r'^resource "(\w+)" "(\w+)"', DECLARED, re.MULTILINE)}
    named = set(re.findall(r"\b(google_\w+\.\w+)", PAGE))
    assert named
    assert named <= declared


def test_what_it_takes_down_or_leaves_is_what_is_protected() -> None:
    """Nothing with data is destroyed by a plan that forgot it."""
    blocks = re.findall(r'^resource "(\w+)" "(\w+)" \{(.*?)^\}', DECLARED, re.MULTILINE | re.DOTALL)
    protected = {f"{kind}.{name}" for kind, name, block in blocks if re.search(r"prevent_destroy\s*=\s*true", block)}
    [removed] = re.findall(r"state rm (.+)", PAGE)
    assert set(removed.split()) == protected


def test_every_variable_it_names_exists() -> None:
    """In the settings' names, and as `-var`."""
    variables = set(re.findall(r'^variable "(\w+)"', DECLARED, re.MULTILINE))
    named = set(re.findall(r"-var (\w+)=", PAGE)) | set(re.findall(r"`(\w+) = ", PAGE))
    named |= {"location", "feeds", "operators", "plan_back_minutes", "deletion_protection", "image", "region"}
    assert all(f"`{name}" in PAGE or f" {name}" in PAGE for name in named)
    assert named <= variables


def test_every_output_it_names_exists() -> None:
    """As `terraform output` prints it."""
    outputs = set(re.findall(r'^output "(\w+)"', DECLARED, re.MULTILINE))
    named = set(re.findall(r"output -json (\w+)", PAGE))
    assert named
    assert named <= outputs


def test_every_command_it_names_exists() -> None:
    """Of gti-mesh, with its options."""
    commands = getattr(get_command(app), "commands")  # noqa: B009 click's group type is not typer's to promise
    lines = re.findall(r"gti-mesh ((?:status|replay|audit|provision|dead)\b[^`\n&|]*)", PAGE)
    assert lines
    for line in lines:
        name, *rest = line.split()
        command = commands[name].commands[rest[0]] if name == "dead" else commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, line


def test_services_and_schedules_are_those_of_the_topology() -> None:
    """By which gcloud finds them, and buildpacks their source."""
    assert set(re.findall(r"gcloud scheduler jobs run (\S+)", PAGE)) <= set(TOPOLOGY["schedules"])
    assert set(re.findall(r"(?:services proxy|update-traffic|run deploy) (\S+)", PAGE)) <= set(TOPOLOGY["services"])
    [built] = re.findall(r"run deploy (\S+)", PAGE)
    declared = TOPOLOGY["services"][built]
    [deleted] = re.findall(r"pubsub subscriptions delete ((?:[\w \\-]|\n  )+)", PAGE)
    assert set(deleted.replace("\\", " ").split()) == set(TOPOLOGY["subscriptions"])
    assert f"--function {declared['target']} " in PAGE
    assert f"GOOGLE_FUNCTION_SOURCE={declared['source']}" in PAGE
