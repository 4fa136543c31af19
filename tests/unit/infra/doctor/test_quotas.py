"""The checks of quotas."""

from infra.doctor.quotas import quota_checks
from shared.operations.doctor.check import Finding, Outcome
from tests.support.google_double import GoogleDouble
from tests.support.healthy_project import ID, REGION, healthy, project
from tests.support.probe_double import ProbeDouble

RUN = f"GET cloudquotas.googleapis.com/v1/projects/{ID}/locations/global/services/run.googleapis.com/quotaInfos"


def found(double: GoogleDouble, name: str = "Cloud Run quota", load_jobs: int = 0) -> Finding:
    """Return the finding about a quota, in a project with so many load jobs in the last day."""
    probe = ProbeDouble({"JOBS_BY_PROJECT": [(load_jobs,)]}, bytes_of={})
    [check] = [check for check in quota_checks(project(double), probe) if check.name == name]
    return check.look()


def quota(value: str, region: str = REGION, metric: str = "run.googleapis.com/cpu_allocation") -> GoogleDouble:
    """Return a project with one quota of Cloud Run."""
    double = healthy()
    dimensions = [{"dimensions": {"region": region}, "details": {"value": value}}]
    double.answers[RUN] = {"quotaInfos": [{"metric": metric, "dimensionsInfos": dimensions}]}
    return double


def test_a_project_with_enough_passes() -> None:
    """All quotas hold what the mesh may need."""
    names = ("Cloud Run quota", "load job quota", "Pub/Sub quota")
    assert {found(healthy(), name).outcome for name in names} == {Outcome.PASS}


def test_load_jobs_of_others_may_leave_no_room() -> None:
    """Used and needed load jobs are named."""
    finding = found(healthy(), "load job quota", load_jobs=99_000)
    assert finding == Finding(Outcome.FAIL, "99,000 of 100,000 in 24 hours, and 1,440 are needed")


def test_a_new_projects_quota_is_too_small() -> None:
    """20,000 milli-vCPU are too few for all instances, and both figures are named."""
    finding = found(quota("20000"))
    assert finding.outcome is Outcome.FAIL
    assert "20,000 in europe-west4, and" in finding.seen


def test_no_limit_is_enough() -> None:
    """A value of -1 means no limit."""
    assert found(quota("-1")).outcome is Outcome.PASS


def test_a_quota_of_another_region_or_name_says_nothing() -> None:
    """Without the right quota the result is `could not look`."""
    assert found(quota("20000", region="asia-east1")).outcome is Outcome.UNKNOWN
    assert found(quota("20000", metric="run.googleapis.com/requests")).outcome is Outcome.UNKNOWN
