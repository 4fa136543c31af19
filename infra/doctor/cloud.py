"""All checks of a project in the cloud, in the order in which to fix problems."""

import base64
from collections.abc import Iterator, Sequence
from functools import cache, partial

from google.cloud import bigquery
from pydantic import SecretStr

from infra.doctor.access import read_access
from infra.doctor.asm_projects import asm_project_checks
from infra.doctor.bigquery_behaviour import behaviour_checks
from infra.doctor.deployment import deployment_checks
from infra.doctor.google_rest import Denied, GoogleRest, impersonated, own_access
from infra.doctor.identities import identity_checks
from infra.doctor.probe import BigQueryProbe
from infra.doctor.project import Project
from infra.doctor.pubsub_behaviour import pubsub_checks
from infra.doctor.quotas import quota_checks
from infra.doctor.scratch import Scratch
from infra.doctor.settings import DoctorSettings
from infra.doctor.source import source_checks
from infra.doctor.stores import store_checks
from infra.doctor.threat_lists import threat_list_checks
from shared.contracts.minutes import last_due, utc_now
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import THREAT_LISTS
from shared.operations.doctor.check import Check
from shared.streams.definition import Stream, look_up


def cloud_project(settings: DoctorSettings) -> Project:
    """Return the project that the settings name, as the caller sees it; raise Misconfigured without a region."""
    if not settings.region:
        raise Misconfigured("GCP_REGION is not set: the region of the services, `region` in Terraform's variables")
    return Project(
        id=settings.project,
        region=settings.region,
        prefix=settings.prefix,
        bucket=settings.bucket,
        dataset=settings.dataset,
        secret=settings.api_key_secret or "vt-api-key",
        feeds=settings.feeds,
        topology=settings.topology(),
        google=own_access(),
        access_as=cache(impersonated),
    )


def cloud_checks(
    settings: DoctorSettings,
    project: Project,
    warehouse: bigquery.Client,
    scratch: Scratch,
    *,
    streams: Sequence[Stream],
    secops_project: str,
) -> Iterator[Check]:
    """Yield every check; those of Google's undocumented behaviour come last. What checks make, `scratch` removes.

    `streams` are those that are polled, for SecOps or BigQuery. `secops_project` is empty while SecOps is off.
    """
    mesh_dataset = f"{project.id}.{project.dataset}"
    yield from deployment_checks(project, secops_on=bool(secops_project))
    yield from identity_checks(project, read_access(), scratch, secops_project=secops_project)
    yield from store_checks(project, scratch)
    key = partial(_key, settings, project)
    yield from source_checks(
        api_url=settings.api_url,
        key=key,
        feeds=settings.package_feeds,
        streams=streams,
        minute=last_due(utc_now()),
    )
    yield from asm_project_checks(
        api_url=settings.api_url, key=key, streams=streams, projects=settings.asm_projects, now=utc_now()
    )
    if THREAT_LISTS in project.feeds:
        yield from threat_list_checks(
            api_url=settings.api_url,
            key=key,
            lists=settings.threat_lists,
            period=settings.period(THREAT_LISTS),
            now=utc_now(),
        )
    probe = BigQueryProbe(warehouse, mesh_dataset, scratch)
    yield from quota_checks(project, probe)
    yield from behaviour_checks(probe, mesh_dataset, project.feeds)
    yield from pubsub_checks(project, scratch)


def _key(settings: DoctorSettings, project: Project) -> SecretStr:
    given = settings.api_key
    return given if given.get_secret_value() else stored_key(project, settings.api_key_secret_version)


def stored_key(project: Project, version: str) -> SecretStr:
    """Return the key in Secret Manager that the services use, read by the caller or else as the downloader."""
    secret = f"secretmanager.googleapis.com/v1/projects/{project.id}/secrets/{project.secret}"
    address = f"{secret}/versions/{version}:access"
    try:
        return _payload(project.google, address)
    except Denied:
        return _payload(project.access_as(project.account("downloader")), address)


def _payload(caller: GoogleRest, address: str) -> SecretStr:
    return SecretStr(base64.b64decode(str(look_up(caller.get(address), "payload.data"))).decode())
