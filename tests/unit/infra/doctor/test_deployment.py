"""The checks of the deployment, for a project as declared and for projects with one difference."""

from dataclasses import replace

import pytest

from infra.doctor.deployment import deployment_checks
from infra.doctor.project import Project
from shared.operations.doctor.check import Finding, Outcome
from tests.support.google_double import Asked, GoogleDouble, refused
from tests.support.healthy_project import ID, JOBS, PUBSUB, RUN, healthy, project


def found(double: GoogleDouble, name: str, *, secops_on: bool = True) -> Finding:
    """Return what a check finds."""
    return look(project(double), name, secops_on=secops_on)


def look(one: Project, name: str, *, secops_on: bool) -> Finding:
    """Return what a check finds in a project."""
    [check] = [check for check in deployment_checks(one, secops_on=secops_on) if check.name == name]
    return check.look()


@pytest.mark.parametrize("name", ["apis", "services", "subscriptions", "schedules"])
def test_a_project_as_declared_passes(name: str) -> None:
    """Every check passes on a project that is as infra/topology.yaml declares it."""
    assert found(healthy(), name).outcome is Outcome.PASS


def test_an_api_that_is_off_is_named() -> None:
    """The finding names the API."""
    double = healthy()

    def one_is_off(asked: Asked) -> dict[str, object]:
        names = [name.rpartition("/")[2] for name in asked.query["names"]]
        return {
            "services": [
                {"config": {"name": name}, "state": "DISABLED" if name.startswith("pubsub") else "ENABLED"}
                for name in names
            ]
        }

    double.answers[f"GET serviceusage.googleapis.com/v1/projects/{ID}/services:batchGet"] = one_is_off
    assert found(double, "apis") == Finding(Outcome.FAIL, "pubsub.googleapis.com is not enabled")


def test_a_missing_service_a_failed_one_and_a_pinned_one_are_named() -> None:
    """The finding names each service with its problem."""
    double = healthy()
    del double.answers[f"GET {RUN}/merger"]
    double.answers[f"GET {RUN}/loader"] = {
        "terminalCondition": {"state": "CONDITION_FAILED", "message": "image not found"}
    }
    double.answers[f"GET {RUN}/planner"] = {
        "terminalCondition": {"state": "CONDITION_SUCCEEDED"},
        "trafficStatuses": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "planner-00001"}],
    }
    finding = found(double, "services")
    assert finding.outcome is Outcome.FAIL
    assert finding.seen == (
        "planner sends requests to planner-00001, not to its newest revision; "
        "loader is not ready: image not found; merger does not exist in europe-west4"
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"ackDeadlineSeconds": 10}, "loader: ackDeadlineSeconds is 10, not 600"),
        ({"filter": 'attributes.feed = "urls"'}, 'loader: filter is attributes.feed = "urls", not None'),
        ({"deadLetterPolicy": {}}, "loader: deadLetterPolicy.deadLetterTopic is None, not"),
        ({"expirationPolicy": {"ttl": "2678400s"}}, "loader: expirationPolicy.ttl is 2678400s, not None"),
        ({"pushConfig": {"pushEndpoint": "https://elsewhere/"}}, "pushConfig.pushEndpoint is https://elsewhere/, not"),
    ],
)
def test_a_subscription_that_differs_is_named(change: dict[str, object], text: str) -> None:
    """The finding names the subscription, the field and both values."""
    double = healthy()
    key = f"GET {PUBSUB}/subscriptions/loader"
    declared = double.answers[key]
    assert isinstance(declared, dict)
    double.answers[key] = {**declared, **change}
    finding = found(double, "subscriptions")
    assert finding.outcome is Outcome.FAIL
    assert text in finding.seen


def test_a_subscription_without_an_expiration_policy_expires() -> None:
    """Pub/Sub deletes such a subscription after 31 days without activity."""
    double = healthy()
    key = f"GET {PUBSUB}/subscriptions/downloader"
    declared = double.answers[key]
    assert isinstance(declared, dict)
    double.answers[key] = {name: value for name, value in declared.items() if name != "expirationPolicy"}
    assert found(double, "subscriptions").seen == "downloader: expires after 31 days without activity"


def test_a_paused_schedule_is_named_and_one_of_a_switched_off_part_is_not() -> None:
    """A paused schedule is named, unless it is the poll's while SecOps is off."""
    double = healthy()
    for name in ("sweep", "secops-poll"):
        job = double.answers[f"GET {JOBS}/{name}"]
        assert isinstance(job, dict)
        double.answers[f"GET {JOBS}/{name}"] = {**job, "state": "PAUSED"}
    off = found(double, "schedules", secops_on=False)
    on = found(double, "schedules")
    assert off == Finding(Outcome.FAIL, "sweep: state is PAUSED, not ENABLED")
    assert "secops-poll: state is PAUSED" in on.seen
    polled = replace(project(double), feeds=("ioc_stream",))
    assert "secops-poll: state is PAUSED" in look(polled, "schedules", secops_on=False).seen


def test_a_refused_call_is_not_an_answer() -> None:
    """A check whose call is refused raises, so that its result is unknown."""
    double = healthy()
    double.answers[f"GET {RUN}/planner"] = refused(403, "run.services.get denied")
    with pytest.raises(Exception, match=r"run\.services\.get denied"):
        found(double, "services")
