"""Checks of quotas: the mesh's maximum need compared with the project's quota."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from infra.doctor.google_rest import listed
from infra.doctor.probe import Probe
from infra.doctor.project import Project
from shared.feeds.definition import period_of
from shared.operations.doctor.check import Check, Finding, failed, passed, unknown
from shared.streams.definition import look_up

# A week of one feed is 10,080 requests of about 300 bytes, published within a minute.
_REPLAY_KILOBYTES_A_MINUTE = 10_080 * 300 // 1000


# cloud.google.com/bigquery/quotas: load jobs of a project in a day, failed ones included.
_LOAD_JOBS_A_DAY = 100_000
_LOAD_JOBS = (
    "SELECT COUNT(*) FROM `{project}`.`region-{location}`.INFORMATION_SCHEMA.JOBS_BY_PROJECT "
    "WHERE job_type = 'LOAD' AND creation_time > TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)"
)
_ONE_DAY = timedelta(days=1)


def quota_checks(project: Project, probe: Probe) -> Iterator[Check]:
    """Yield the checks of the quotas that are too low in a new project."""
    yield Check(
        name="Cloud Run quota",
        relies_on="the region's CPU quota holds all instances that the services may start",
        look=partial(_cpu, project),
        meaning="a backlog is worked off with fewer instances than declared; nothing is lost",
        remedy="ask for more under IAM & Admin > Quotas, or lower `instances.max` in infra/topology.yaml",
    )
    yield Check(
        name="load job quota",
        relies_on="the project's load jobs of a day leave room for those of the feeds",
        look=partial(_load_jobs, project, probe),
        meaning="loads are refused until the next day; minutes wait in Cloud Storage, and nothing is lost",
        remedy="move what loads most into another project",
    )
    yield Check(
        name="Pub/Sub quota",
        relies_on="the region's publisher throughput holds a replay of a week",
        look=partial(
            _quota, project, "pubsub.googleapis.com", ("publisher",), _REPLAY_KILOBYTES_A_MINUTE * len(project.feeds)
        ),
        meaning="a large replay is published more slowly; nothing is lost",
        remedy="ask for more under IAM & Admin > Quotas",
    )


def _cpu(project: Project) -> Finding:
    needed = sum(1000 * int(one.cpu) * one.instances.max for one in project.topology.services.values())
    return _quota(project, "run.googleapis.com", ("cpu", "alloc"), needed)


def _load_jobs(project: Project, probe: Probe) -> Finding:
    location = (probe.location or "us").lower()
    [[used]] = probe.run(_LOAD_JOBS.format(project=project.id, location=location))
    # A load job for each package.
    needed = sum(_ONE_DAY // period_of(feed).length for feed in project.feeds)
    seen = f"{int(str(used)):,} of {_LOAD_JOBS_A_DAY:,} in 24 hours, and {needed:,} are needed"
    return passed(seen) if int(str(used)) + needed <= _LOAD_JOBS_A_DAY else failed(seen)


def _quota(project: Project, service: str, words: tuple[str, ...], needed: int) -> Finding:
    """Compare the quota whose metric has all these words with the need; units are the metric's own."""
    address = f"cloudquotas.googleapis.com/v1/projects/{project.id}/locations/global/services/{service}/quotaInfos"
    quotas = [one for one in listed(project.google.get(address), "quotaInfos") if _is_about(one, words)]
    values = [value for quota in quotas for value in _values(quota, project.region)]
    if not values:
        return unknown(f"{service} has no quota in {project.region} whose metric names {' and '.join(words)}")
    value = min(values)
    seen = f"{look_up(quotas[0], 'metric')}: {value:,} in {project.region}, and {needed:,} may be needed"
    return passed(seen) if value >= needed else failed(seen)


def _is_about(quota: object, words: tuple[str, ...]) -> bool:
    metric = str(look_up(quota, "metric")).lower()
    return all(word in metric for word in words)


def _values(quota: object, region: str) -> Iterator[int]:
    for one in listed(quota, "dimensionsInfos"):
        value = look_up(one, "details.value")
        places = listed(one, "applicableLocations")
        if value is not None and (region in places or look_up(one, "dimensions.region") == region):
            # -1 stands for no limit.
            yield int(str(value)) if int(str(value)) >= 0 else 10**15
