"""Every setting of a service comes from a variable, or is meant for one machine only."""

import ast
import importlib
from collections.abc import Iterator
from typing import Any

import hcl2
import pytest
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from infra.topology import read_topology
from shared.settings import MeshSettings
from shared.warehouse.settings import WarehouseSettings
from tests.terraform.code import read_module
from tests.terraform.configuration import TERRAFORM, unquoted, variables
from tests.terraform.planned import Plan, RefusedError, Workspace

# Emulators, simulators and keys in plain settings belong to one machine; JSON logs are the default and the cloud's.
ONE_MACHINE = {
    "PUBSUB_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "BIGQUERY_EMULATOR_HOST",
    "VT_API_URL",
    "VT_API_KEY",
    "SECOPS_API_URL",
    "LOG_FORMAT",
}
# What functions-framework reads.
FRAMEWORK = {"FUNCTION_SOURCE", "FUNCTION_TARGET", "WORKERS", "THREADS"}
SERVICES = read_topology().services


def models(service: str) -> tuple[type[BaseSettings], ...]:
    """Return the settings that a service's entry point starts with, found in its source."""
    if service == "provision":
        return (MeshSettings, WarehouseSettings)
    module = read_module(SERVICES[service].source.removesuffix(".py").replace("/", "."))
    assert module
    started = module.variables["settings"]
    assert isinstance(started, ast.Call)
    source, name = module.imports[ast.unparse(started.args[0])]
    model: type[BaseSettings] = getattr(importlib.import_module(source), name)
    return (model,)


def names(model: type[BaseSettings]) -> Iterator[set[str]]:
    """Yield, for each setting, the environment variables that it may come from."""
    for field in model.model_fields.values():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            yield {str(one) for one in alias.choices}
        else:
            assert isinstance(alias, str)
            yield {alias}


def environment(plan: Plan, service: str) -> dict[str, str]:
    """Return the environment of a service or the job."""
    if service == "provision":
        (template,) = plan.all("google_cloud_run_v2_job")["provision"]["template"][0]["template"]
    else:
        (template,) = plan.all("google_cloud_run_v2_service")[service]["template"]
    return {one["name"]: one["value"] for one in template["containers"][0]["env"]}


WITH_JOB = [*SERVICES, "provision"]


@pytest.mark.parametrize("service", WITH_JOB)
def test_every_setting_has_a_variable(full_plan: Plan, service: str) -> None:
    """With every variable given, every setting is, but for those of one machine."""
    given = set(environment(full_plan, service))
    missing = [sorted(one) for model in models(service) for one in names(model) if not one & (given | ONE_MACHINE)]
    assert missing == []


@pytest.mark.parametrize("service", WITH_JOB)
def test_every_variable_of_the_environment_is_a_setting(full_plan: Plan, service: str) -> None:
    """A name that no model reads is a mistake; and nothing of one machine reaches the cloud."""
    known = {name for model in models(service) for one in names(model) for name in one}
    assert set(environment(full_plan, service)) - FRAMEWORK <= known - ONE_MACHINE


@pytest.mark.parametrize("chosen", ["plan", "full_plan"])
@pytest.mark.parametrize("service", WITH_JOB)
def test_services_start_with_what_they_are_given(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, service: str, chosen: str
) -> None:
    """The models take every value; the least and the most that can be said."""
    planned: Plan = request.getfixturevalue(chosen)
    given = environment(planned, service)
    for model in models(service):
        for one in names(model):
            for name in one:
                monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for model in models(service):
        made: Any = model(_env_file=None)
        if isinstance(made, MeshSettings):
            assert (made.project, made.bucket) == ("my-project", given["LANDING_BUCKET"])


@pytest.mark.parametrize("service", SERVICES)
def test_the_framework_is_told_what_the_topology_says(plan: Plan, service: str) -> None:
    """Source, target, and in one process as many threads as requests at once, as the local mesh has it."""
    given, declared = environment(plan, service), SERVICES[service]
    assert {name: given[name] for name in FRAMEWORK} == {
        "FUNCTION_SOURCE": declared.source,
        "FUNCTION_TARGET": declared.target,
        "WORKERS": "1",
        "THREADS": str(declared.concurrency),
    }


def test_the_key_is_in_no_environment(full_plan: Plan) -> None:
    """Services know the name of the secret, and only those that may read it read it."""
    for service in WITH_JOB:
        assert "VT_API_KEY" not in environment(full_plan, service)


def test_every_variable_is_described_and_checked() -> None:
    """A flag has no wrong value but one of another type."""
    for name, body in variables().items():
        assert body.get("description"), name
        assert body.get("type"), name
        assert "validation" in body or body["type"] == "bool", name


def test_wrong_variables_are_refused_with_their_reasons(configuration: Workspace) -> None:
    """All of them at once, and before anything is made."""
    wrong: dict[str, tuple[object, str]] = {
        "project_id": ("No", "A project id has"),
        "image": ("host/gti-mesh:latest", "Name a tag or a digest"),
        "feeds": (["domain"], "A feed is one of the files of shared/feeds: domains, file_behaviours, files"),
        "operators": (["allUsers"], "A member is written"),
        "landing_days": (7, "At least 8 days"),
        "dataset": ("a-b", "A dataset's name has"),
        "secops": ({"streams": ["nothing"]}, "A stream is one of shared/streams.yaml: ioc_stream"),
        "tuning": ({"merge_max_bytes_billed": 5}, "BigQuery bills at least 10 MiB"),
        "docs_url": ("https://host/docs/", "without a slash at the end"),
    }
    with pytest.raises(RefusedError) as refused:
        configuration.plan(**{name: value for name, (value, _) in wrong.items()})
    said = str(refused.value)
    assert [reason for _, reason in wrong.values() if reason not in said] == []


def test_the_example_of_variables_can_be_planned(configuration: Workspace) -> None:
    """Whoever copies it has only names to change."""
    planned = configuration.plan_file(TERRAFORM / "terraform.tfvars.example")
    assert environment(planned, "downloader")["FEEDS"] == "domains,urls"


def test_the_example_of_a_backend_is_one() -> None:
    """A bucket and a prefix, and nothing that could stand in the way of a second environment."""
    content = hcl2.loads((TERRAFORM / "backend.tf.example").read_text(encoding="utf-8"))
    (backend,) = content["terraform"][0]["backend"]
    assert set(unquoted(unquoted(backend)["gcs"])) == {"bucket", "prefix"}


def test_what_is_switched_off_rests_and_is_kept(configuration: Workspace, plan: Plan) -> None:
    """Without feeds and without SecOps the schedules pause; topics, subscriptions and services stay."""
    off = configuration.plan(feeds=[])
    jobs = off.all("google_cloud_scheduler_job")
    assert all(one["paused"] for one in jobs.values())
    for kind in ("google_pubsub_topic", "google_pubsub_subscription", "google_cloud_run_v2_service"):
        assert set(off.all(kind)) == set(plan.all(kind))


def test_each_schedule_runs_for_what_is_switched_on(plan: Plan, full_plan: Plan) -> None:
    """Feeds alone leave the poll at rest."""
    paused = {name for name, one in plan.all("google_cloud_scheduler_job").items() if one["paused"]}
    assert paused == {"secops-poll"}
    assert not any(one["paused"] for one in full_plan.all("google_cloud_scheduler_job").values())
