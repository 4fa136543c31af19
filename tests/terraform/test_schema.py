"""Every resource type, argument and block that is written exists in the Google provider, and so does every value."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import REPOSITORY
from tests.terraform.configuration import DEPLOY, TERRAFORM, Block, blocks, parsed, unquoted
from tests.terraform.planned import Plan, Workspace
from tests.terraform.schema import Type, schema, types

# Terraform's own, in every resource.
META = {"for_each", "count", "depends_on", "lifecycle", "provider"}
LABELLED = {f"{block.kind} {block.address}": block for block in blocks()}


def problems(body: Mapping[str, Any], kind: Type, place: str) -> Iterator[str]:
    """Yield what a body has that its type does not know, and what the type demands and the body lacks."""
    content = unquoted(body)
    dynamic = {name: inner for one in content.pop("dynamic", ()) for name, inner in unquoted(one).items()}
    given = {*content, *dynamic} - META
    known = {**kind["attributes"], **kind["blocks"]}
    yield from (f"{place}.{name}: there is no such argument or block" for name in sorted(given - set(known)))
    for name, one in sorted(known.items()):
        mode = one["mode"] if name in kind["blocks"] else one[1]
        if mode == "required" and name not in given:
            yield f"{place}.{name}: missing"
        if mode == "computed" and name in given:
            yield f"{place}.{name}: only the provider sets it"
    for name, inner in _nested(content, dynamic):
        if name in kind["blocks"]:
            yield from problems(inner, kind["blocks"][name], f"{place}.{name}")


def _nested(content: Mapping[str, Any], dynamic: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in content.items():
        if isinstance(value, list) and value and isinstance(value[0], dict) and "__is_block__" in value[0]:
            yield from ((name, one) for one in value)
    for name, block in dynamic.items():
        yield from ((name, one) for one in unquoted(block)["content"])


def written_problems(block: Block) -> list[str]:
    """Return what is wrong with a resource."""
    known = types(block.kind)
    if block.type not in known:
        return [f"{block.type}: not in the schema; run tests/terraform/distil.py, which refuses what does not exist"]
    return list(problems(block.body, known[block.type], block.address))


@pytest.mark.parametrize("label", sorted(LABELLED))
def test_what_is_written_exists_in_the_provider(label: str) -> None:
    """Types, arguments, nested and dynamic blocks exist, and everything that the provider requires is there."""
    assert written_problems(LABELLED[label]) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"name": "t", "retention": "60s"}, "t.retention: there is no such argument or block"),
        ({}, "t.name: missing"),
        ({"name": "t", "effective_labels": {}}, "t.effective_labels: only the provider sets it"),
        ({"name": "t", "schema_settings": [{"__is_block__": True}]}, "t.schema_settings.schema: missing"),
        ({"name": "t", "dynamic": [{'"push"': {"content": [{}]}}]}, "t.push: there is no such argument or block"),
    ],
)
def test_a_wrong_argument_is_found(body: dict[str, Any], problem: str) -> None:
    """The comparison detects a wrong argument."""
    assert list(problems(body, types("resource")["google_pubsub_topic"], "t")) == [problem]


def outside(values: Mapping[str, Any], kind: Type, place: str) -> Iterator[str]:
    """Yield planned values that are not among those that the provider documents."""
    for name, (_, _, *choices) in kind["attributes"].items():
        if choices and values.get(name) is not None and values[name] not in choices[0]:
            yield f"{place}.{name}: {values[name]} is none of {', '.join(choices[0])}"
    for name, block in kind["blocks"].items():
        for one in values.get(name) or ():
            yield from outside(one, block, f"{place}.{name}")


def test_planned_values_are_among_those_that_the_provider_takes(full_plan: Plan) -> None:
    """Planned values are among the provider's: a misspelt aligner or ingress would be refused only by the cloud."""
    found = [outside(one["values"], types("resource")[one["type"]], one["address"]) for one in full_plan.resources]
    assert [problem for each in found for problem in each] == []


def test_a_value_that_the_provider_does_not_take_is_found() -> None:
    """The comparison detects a value that the provider does not accept, also in blocks."""
    wrong = {"metric_descriptor": [{"metric_kind": "DELTO", "value_type": "INT64"}]}
    assert list(outside(wrong, types("resource")["google_logging_metric"], "m")) == [
        "m.metric_descriptor.metric_kind: DELTO is none of CUMULATIVE, DELTA, GAUGE"
    ]


def required_providers(folder: Path, file: str) -> dict[str, str]:
    """Return the provider versions that a file requires."""
    (block,) = parsed(folder)[file]["terraform"]
    (required,) = block["required_providers"]
    return {
        name: unquoted(one)["version"].strip('"') for name, one in unquoted(required).items() if isinstance(one, dict)
    }


def test_the_provider_is_pinned_to_the_schema_that_is_compared() -> None:
    """The root, which has no lock file, pins exact versions; a newer major version may have other arguments."""
    exact, ranges = required_providers(DEPLOY, "main.tf"), required_providers(TERRAFORM, "versions.tf")
    versions = schema()["versions"]
    assert exact == {name: f"= {version}" for name, version in versions.items()}
    assert ranges == {name: f"~> {version.rpartition('.')[0]}" for name, version in versions.items()}


def test_the_module_configures_no_provider() -> None:
    """The module configures no provider, so that it can be used several times, with count and for_each."""
    assert not any("provider" in content for content in parsed().values())
    assert "provider" in parsed(DEPLOY)["main.tf"]


def test_everything_says_its_project_and_carries_the_labels(full_plan: Plan) -> None:
    """Every resource sets its project, and carries labels by which the bill can be read."""
    for one in full_plan.resources:
        known, values = types("resource")[one["type"]]["attributes"], one["values"]
        assert "project" not in known or values["project"] in {"my-project", "secops-project"}, one["address"]
        for name in {"labels", "user_labels"} & set(known):
            if one["type"] != "google_monitoring_notification_channel" or name == "user_labels":
                assert values[name].items() >= {"app": "gti-mesh", "team": "soc"}.items(), one["address"]


def test_terraform_finds_the_configuration_valid(configuration: Workspace) -> None:
    """Real Terraform accepts references, types and functions, with the provider's schema."""
    configuration.validate()


def test_the_bill_can_be_read_by_component(full_plan: Plan) -> None:
    """Each service by its name; what BigQuery runs by the label of its jobs, as docs/cost.md has them."""
    services = full_plan.all("google_cloud_run_v2_service")
    assert {name: one["labels"]["component"] for name, one in services.items()} == {name: name for name in services}
    page = (REPOSITORY / "docs/cost.md").read_text(encoding="utf-8").partition("## The mesh in the bill")[2]
    code = "".join(
        file.read_text(encoding="utf-8")
        for part in ("services", "shared")
        for file in (REPOSITORY / part).rglob("*.py")
    )
    named = set(re.findall(r'"?component(?:"|: str)?(?:: | ?= ?)"(\w+)"', code))
    assert named == {"ledger", "loader", "merger"}
    assert [name for name in named if f"`{name}`" not in page] == []
