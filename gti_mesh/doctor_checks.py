"""The checks of `gti-mesh doctor` for the mesh in the cloud, or for a local one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from pydantic import SecretStr

from gti_mesh.verify import TenantSettings, tenant_settings
from infra.doctor.cloud import cloud_checks, cloud_project
from infra.doctor.google_rest import GoogleRest
from infra.doctor.project import Project
from infra.doctor.scratch import Scratch
from infra.doctor.settings import DoctorSettings
from infra.endpoints import DEFAULT_STATE, Endpoints, read_endpoints
from infra.find_mesh import local_mesh
from infra.topology import read_topology
from services.secops_forwarder.build import build_secops
from services.secops_forwarder.tenant_checks import tenant_checks
from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import Misconfigured
from shared.operations.doctor.check import Check
from shared.operations.mesh import Mesh
from shared.runtime.settings import read_settings


@dataclass(frozen=True)
class Found:
    """The checks, and whether the mesh is a local one."""

    checks: Sequence[Check]
    local: bool


def checks_of(state: Path | None, scratch: Scratch) -> Found:
    """Return the checks of the local mesh that runs on `state`, else of the project that the environment names."""
    endpoints = read_endpoints(state or DEFAULT_STATE)
    if endpoints is None and state:
        raise Misconfigured(f"no mesh runs on {state}; start one with `gti-mesh up --state {state}`")
    mesh = local_mesh(endpoints) if endpoints else None
    settings = read_settings(DoctorSettings)
    if endpoints:
        settings = _with_local_key(settings)
    project = _local_project(settings, endpoints) if endpoints else cloud_project(settings)
    return Found(tuple(_checks(settings, project, mesh or Mesh(settings), scratch)), local=mesh is not None)


def _checks(settings: DoctorSettings, project: Project, mesh: Mesh, scratch: Scratch) -> Iterator[Check]:
    secops = tenant_settings()
    streams = (secops or read_settings(TenantSettings)).polled()
    secops_project = (secops.chronicle_project or settings.project) if secops else ""
    yield from cloud_checks(settings, project, mesh.warehouse, scratch, streams=streams, secops_project=secops_project)
    if secops:
        yield from tenant_checks(build_secops(secops), (*secops.delivered(), *secops.forwarded_feeds()), utc_now)


def _local_project(settings: DoctorSettings, endpoints: Endpoints) -> Project:
    """Return a local mesh as a project: its emulators answer the calls to BigQuery and Cloud Storage."""
    bases = {"bigquery.googleapis.com": endpoints.bigquery, "storage.googleapis.com": endpoints.storage}
    session = requests.Session()
    session.trust_env = False

    def address(asked: str) -> str:
        host, _, path = asked.partition("/")
        if host not in bases:
            raise Misconfigured(f"a local mesh has no {host}")
        return f"{bases[host].rstrip('/')}/{path}"

    google = GoogleRest(session, address)
    return Project(
        id=settings.project,
        region="local",
        prefix="",
        bucket=settings.bucket,
        dataset=settings.dataset,
        secret="",
        feeds=settings.feeds,
        topology=read_topology("local"),
        google=google,
        access_as=lambda _: google,
    )


def _with_local_key(settings: DoctorSettings) -> DoctorSettings:
    """Return the settings with the simulator's key, unless there is another one."""
    if settings.api_key.get_secret_value():
        return settings
    from infra.local.process_specs import SIMULATOR_KEY

    return settings.model_copy(update={"api_key": SecretStr(SIMULATOR_KEY)})
