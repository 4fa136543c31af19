"""Every setting of a service comes from a variable, or is for a local mesh only."""

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any

import hcl2
import pytest
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from gti_mesh.verify import TenantSettings
from infra.doctor.settings import DoctorSettings
from infra.topology import read_topology
from shared.runtime.settings import MeshSettings
from shared.warehouse.settings import WarehouseSettings
from tests.terraform.code import read_module
from tests.terraform.configuration import DEPLOY, TERRAFORM, parsed, unquoted, variables
from tests.terraform.conftest import CUSTOMER
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
    "GTI_MESH_STATE",
}
# What functions-framework reads.
FRAMEWORK = {"FUNCTION_SOURCE", "FUNCTION_TARGET", "WORKERS", "THREADS"}
SERVICES = read_topology().services
EXAMPLE = (DEPLOY / "production.tfvars.example").read_text(encoding="utf-8")


def models(service: str) -> tuple[type[BaseSettings], ...]:
    """Return the settings models that a service's entry point uses, found in its source."""
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
    """Yield the environment variables that each setting may come from."""
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
    """With every variable set, every setting is, except those of a local mesh."""
    given = set(environment(full_plan, service))
    missing = [sorted(one) for model in models(service) for one in names(model) if not one & (given | ONE_MACHINE)]
    assert missing == []


@pytest.mark.parametrize("service", WITH_JOB)
def test_every_variable_of_the_environment_is_a_setting(full_plan: Plan, service: str) -> None:
    """Every environment variable is a setting of a model, and none is for a local mesh only."""
    known = {name for model in models(service) for one in names(model) for name in one}
    assert set(environment(full_plan, service)) - FRAMEWORK <= known - ONE_MACHINE


@pytest.mark.parametrize("chosen", ["plan", "full_plan"])
@pytest.mark.parametrize("service", WITH_JOB)
def test_services_start_with_what_they_are_given(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, service: str, chosen: str
) -> None:
    """The models accept every value, including the minimum and maximum of each."""
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
    """The framework gets source, target, and as many threads as concurrent requests, as in the local mesh."""
    given, declared = environment(plan, service), SERVICES[service]
    assert {name: given[name] for name in FRAMEWORK} == {
        "FUNCTION_SOURCE": declared.source,
        "FUNCTION_TARGET": declared.target,
        "WORKERS": "1",
        "THREADS": str(declared.concurrency),
    }


def test_the_key_is_in_no_environment(full_plan: Plan) -> None:
    """No environment has the key; services get the secret's name, and only those with access read it."""
    for service in WITH_JOB:
        assert "VT_API_KEY" not in environment(full_plan, service)


def test_every_variable_is_described_and_checked() -> None:
    """Every variable has a description and a validation, except flags."""
    for name, body in variables().items():
        assert body.get("description"), name
        assert body.get("type"), name
        assert "validation" in body or body["type"] == "bool", name


def test_wrong_variables_are_refused_with_their_reasons(configuration: Workspace) -> None:
    """Wrong variables are all refused at once with their reasons, before anything is created."""
    wrong: dict[str, tuple[object, str]] = {
        "project_id": ("No", "A project id has"),
        "image": ("host/gti-mesh:latest", "Name a tag or a digest"),
        "operators": (["allUsers"], "A member is written"),
        "landing_days": (7, "At least 8 days"),
        "dataset": ("a-b", "A dataset's name has"),
        "secops": ({"streams": ["nothing"]}, "A stream is one of shared/streams/streams.yaml: "),
        "tuning": ({"merge_max_bytes_billed": 5}, "BigQuery bills at least 10 MiB"),
        "docs_url": ("https://host/docs/", "without a slash at the end"),
    }
    with pytest.raises(RefusedError) as refused:
        configuration.plan(**{name: value for name, (value, _) in wrong.items()})
    message = str(refused.value)
    assert [reason for _, reason in wrong.values() if reason not in message] == []


def test_an_unknown_feed_is_refused(configuration: Workspace) -> None:
    """With the known ones. What `secops` says is compared with `feeds` once `feeds` is right."""
    with pytest.raises(RefusedError, match="A feed is one of the files of shared/feeds: domains, file_behaviours, "):
        configuration.plan(feeds=["domain"])


def test_a_stream_without_a_log_type_is_refused(configuration: Workspace) -> None:
    """With a tenant, a stream without a log type and an unknown stream are refused with the possible values."""
    with pytest.raises(RefusedError) as refused:
        configuration.plan(secops={"customer_id": CUSTOMER, "log_types": {"nothing": "GCP_THREATINTEL"}})
    assert "Each stream needs a log type in log_types: GCP_THREATINTEL" in str(refused.value)
    assert "A key of log_types is a stream of shared/streams/streams.yaml" in str(refused.value)


def test_only_threat_lists_can_be_forwarded(configuration: Workspace) -> None:
    """Other feeds are observations by the million."""
    with pytest.raises(RefusedError, match="The only feed whose landings can be sent to SecOps is threat_lists"):
        configuration.plan(secops={"feeds": ["domains"]})


def test_a_forwarded_feed_has_to_land(configuration: Workspace) -> None:
    """Otherwise nothing would ever be sent, without a word; it is refused together with other wrong values."""
    with pytest.raises(RefusedError) as refused:
        configuration.plan(feeds=["domains"], landing_days=7, secops={"feeds": ["threat_lists"]})
    assert "so it has to be in feeds too" in str(refused.value)
    assert "At least 8 days" in str(refused.value)


def test_the_root_passes_every_variable_on_and_every_output_back() -> None:
    """The root passes every variable and output on under the same name; null means the module's default."""
    main = parsed(DEPLOY)["main.tf"]
    (call,) = (unquoted(one)["mesh"] for one in main["module"])
    passed = {name: value for name, value in unquoted(call).items() if name != "source"}
    assert passed == {name: f"${{var.{name}}}" for name in variables()}
    assert set(variables(DEPLOY)) == set(variables())
    assert [
        name for name, body in variables().items() if body.get("default") is not None and "nullable" not in body
    ] == []
    outputs = [
        {name for one in parsed(folder)["outputs.tf"]["output"] for name in unquoted(one)}
        for folder in (TERRAFORM, DEPLOY)
    ]
    assert outputs[0] == outputs[1]


def test_the_example_of_variables_has_no_active_value() -> None:
    """The example has no active value: a forgotten placeholder would be applied."""
    assert unquoted(hcl2.loads(EXAMPLE)) == {}


def test_the_example_of_variables_can_be_planned(configuration: Workspace) -> None:
    """The example can be planned once its comment marks are removed and the names replaced."""
    file = configuration.folder / "example.tfvars"
    file.write_text(re.sub(r"^# (?=[a-z_ ]+= |  |})", "", EXAMPLE, flags=re.MULTILINE), encoding="utf-8")
    planned = configuration.plan_file(file)
    assert environment(planned, "downloader")["FEEDS"] == "domains,urls"
    assert environment(planned, "secops-import")["CHRONICLE_REGION"] == "eu"


def test_no_file_of_variables_is_loaded_by_itself() -> None:
    """No file of variables is loaded automatically, since Terraform would load it into every environment."""
    loaded = [*DEPLOY.glob("terraform.tfvars*"), *DEPLOY.glob("*.auto.tfvars*")]
    assert loaded == []


def test_the_example_of_a_backend_names_no_environment() -> None:
    """The example of a backend leaves bucket and prefix to `terraform init`, so environments cannot be mixed up."""
    content = hcl2.loads((DEPLOY / "backend.tf.example").read_text(encoding="utf-8"))
    (backend,) = content["terraform"][0]["backend"]
    assert unquoted(unquoted(backend)["gcs"]) == {}


def test_what_is_switched_off_rests_and_is_kept(configuration: Workspace, plan: Plan) -> None:
    """Without feeds and SecOps the schedules pause; topics, subscriptions and services stay."""
    off = configuration.plan(feeds=[])
    jobs = off.all("google_cloud_scheduler_job")
    assert all(one["paused"] for one in jobs.values())
    for kind in ("google_pubsub_topic", "google_pubsub_subscription", "google_cloud_run_v2_service"):
        assert set(off.all(kind)) == set(plan.all(kind))


def test_each_schedule_runs_for_what_is_switched_on(plan: Plan, full_plan: Plan) -> None:
    """With only feeds switched on the poll is paused."""
    paused = {name for name, one in plan.all("google_cloud_scheduler_job").items() if one["paused"]}
    assert paused == {"secops-poll"}
    assert not any(one["paused"] for one in full_plan.all("google_cloud_scheduler_job").values())


def test_a_stream_for_bigquery_needs_no_tenant(configuration: Workspace) -> None:
    """The poll runs, and every service that lands and merges knows of the stream."""
    planned = configuration.plan(feeds=[], streams_to_bigquery=["ioc_stream"])
    assert not any(one["paused"] for one in planned.all("google_cloud_scheduler_job").values())
    for service in ("planner", "downloader", "loader", "merger", "secops-poll", "status-page", "provision"):
        assert environment(planned, service)["STREAMS_TO_BIGQUERY"] == "ioc_stream"


@pytest.mark.parametrize(
    ("streams", "reason"),
    [
        (["domains"], "A stream for BigQuery is one of "),
        (["campaigns"], "A stream of streams_to_bigquery is also named in secops.streams"),
        (["ioc_stream", "ioc_stream"], "A stream is named once"),
    ],
)
def test_a_stream_for_bigquery_is_collected(configuration: Workspace, streams: list[str], reason: str) -> None:
    """A feed, a stream that is not collected and one named twice are refused with their reasons."""
    with pytest.raises(RefusedError) as refused:
        configuration.plan(streams_to_bigquery=streams)
    assert reason in str(refused.value)


def test_a_stream_goes_somewhere(configuration: Workspace) -> None:
    """With a tenant a stream goes to SecOps, into BigQuery, or both; a stream for BigQuery alone has no log type."""
    tenant = {"customer_id": CUSTOMER, "streams": ["ioc_stream"], "streams_to_secops": []}
    with pytest.raises(RefusedError) as refused:
        configuration.plan(secops=tenant)
    assert "A stream goes to SecOps or into BigQuery" in str(refused.value)
    with pytest.raises(RefusedError) as refused:
        configuration.plan(secops={**tenant, "streams_to_secops": ["campaigns"]})
    assert "A stream of streams_to_secops is also named in streams" in str(refused.value)
    planned = configuration.plan(secops=tenant, streams_to_bigquery=["ioc_stream"])
    assert environment(planned, "secops-import")["STREAMS_TO_SECOPS"] == ""


def test_an_operators_environment_has_what_the_commands_for_secops_read(
    full_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`gti-mesh secops check-parser` and `verify` find the tenant by it; no key is in it."""
    printed = full_plan.outputs()["environment"]
    assert "VT_API_KEY" not in printed
    for name, value in printed.items():
        monkeypatch.setenv(name, value)
    made: Any = TenantSettings(_env_file=None)
    assert (made.customer_id, made.chronicle_project, made.region) == (CUSTOMER, "secops-project", "eu")


@pytest.mark.parametrize("chosen", ["plan", "full_plan"])
def test_the_doctor_knows_what_is_deployed_by_an_operators_environment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    """Every setting of `gti-mesh doctor` is in it, and by it every schedule is as Terraform makes it."""
    planned: Plan = request.getfixturevalue(chosen)
    printed = planned.outputs()["environment"]
    if chosen == "full_plan":
        assert [sorted(one) for one in names(DoctorSettings) if not one & (set(printed) | ONE_MACHINE)] == []
    for name, value in printed.items():
        monkeypatch.setenv(name, value)
    settings: Any = DoctorSettings(_env_file=None)
    jobs = planned.all("google_cloud_scheduler_job")
    expected = {name: one.cron for name, one in settings.topology().schedules.items()}
    assert {name: job["schedule"] for name, job in jobs.items()} == expected
    assert settings.asm_projects == (("10101", "10102") if chosen == "full_plan" else ())
