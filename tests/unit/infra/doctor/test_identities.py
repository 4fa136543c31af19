"""The checks of each identity's permissions."""

from urllib.parse import quote

import pytest

from infra.doctor.access import read_access
from infra.doctor.identities import identity_checks
from infra.doctor.scratch import Scratch
from shared.operations.doctor.check import Finding, Outcome
from tests.support.google_double import Answer, Asked, GoogleDouble, refused
from tests.support.healthy_project import PUBSUB, RUN, STORAGE, TABLES, UPLOAD, WHOLE, healthy, project

# Of the planner, in the order in which they are tried.
FOLDERS = ["dead/", "state/planner/", "state/replays/", "state/operators/"]


def found(double: GoogleDouble, name: str, scratch: Scratch | None = None) -> Finding:
    """Return what a check finds."""
    checks = identity_checks(project(double), read_access(), scratch or Scratch(), secops_project="p1")
    [check] = [check for check in checks if check.name == name]
    return check.look()


def test_a_project_as_granted_passes() -> None:
    """Every identity, the callers and the dead letters pass."""
    checks = list(identity_checks(project(healthy()), read_access(), Scratch(), secops_project="p1"))
    outcomes = {check.name: check.look().outcome for check in checks}
    assert len(outcomes) == 10
    assert set(outcomes.values()) == {Outcome.PASS}


def test_streams_of_bigquery_have_folders_of_their_own() -> None:
    """Downloader and loader may write below them as below those of feeds; what is off is not tried."""
    needs = read_access().identities["downloader"]
    tried = needs.prefixes("roles/storage.objectUser", ("domains", "ioc_stream"))
    assert sorted(tried) == ["domains/", "ioc_stream/", "state/feeds/"]


def test_objects_that_were_made_are_removed() -> None:
    """Each created object is deleted in the end, even if its creator may not delete, and after an interruption."""
    double = healthy()
    made: list[str] = []

    def create(asked: Asked) -> Answer:
        made.extend(asked.query["name"])
        if len(made) == len(FOLDERS):
            raise KeyboardInterrupt
        return {}

    double.answers[UPLOAD] = create
    with pytest.raises(KeyboardInterrupt), Scratch() as scratch:
        found(double, "access of planner", scratch)
    assert [name.rpartition("/")[0] + "/" for name in made] == FOLDERS
    removed = [key for key in double.asked if key.startswith(f"DELETE {STORAGE}/o/")]
    assert sorted(removed) == sorted(f"DELETE {STORAGE}/o/{quote(name, safe='')}" for name in made)
    assert not scratch.left


def test_an_object_that_nobody_may_remove_is_named() -> None:
    """No service may delete below dead/, so the caller does; the output names what the caller may not delete."""
    double = healthy()
    with Scratch() as scratch:
        name = quote(f"dead/{scratch.name}-planner", safe="")
        double.answers[f"DELETE {STORAGE}/o/{name}"] = refused(403, "storage.objects.delete denied")
        assert found(double, "access of planner", scratch).outcome is Outcome.PASS
    [left] = scratch.left
    assert left.startswith(f"gs://landing/dead/{scratch.name}-planner: ")


@pytest.mark.parametrize(
    ("key", "name", "text"),
    [
        (f"POST {WHOLE}:testIamPermissions", "access of planner", "lacks bigquery.jobs.create on v3/projects/p1"),
        (
            f"POST {PUBSUB}/topics/minutes-landed:testIamPermissions",
            "access of downloader",
            "lacks pubsub.topics.publish",
        ),
        (
            f"POST {PUBSUB}/subscriptions/feed-minutes-dead:testIamPermissions",
            "access of planner",
            "lacks pubsub.subscriptions.consume",
        ),
        (f"POST {TABLES}/tables/minutes:testIamPermissions", "access of loader-dead", "bigquery.tables.updateData"),
        (f"POST {WHOLE}:testIamPermissions", "access of secops-import", "lacks chronicle.logs.import"),
    ],
)
def test_a_missing_permission_is_named(key: str, name: str, text: str) -> None:
    """The finding names the permission and the resource."""
    double = healthy()
    double.answers[key] = {}
    finding = found(double, name)
    assert finding.outcome is Outcome.FAIL
    assert text in finding.seen


def test_a_folder_that_refuses_is_named() -> None:
    """A conditional grant shows only in a real write, whose refusal names the folder."""
    double = healthy()

    def only_state(asked: Asked) -> object:
        [name] = asked.query["name"]
        return {} if name.startswith("state/") else refused(403)

    double.answers[UPLOAD] = only_state  # type: ignore[assignment]
    assert found(double, "access of downloader") == Finding(
        Outcome.FAIL, "may not create objects below domains/ in bucket landing"
    )


def test_without_impersonation_it_could_not_look() -> None:
    """A caller that may not act as the account gets the role that this needs."""
    double = healthy()
    double.answers[f"POST {WHOLE}:testIamPermissions"] = refused(403, "iam.serviceAccounts.getAccessToken denied")
    finding = found(double, "access of merger")
    assert finding.outcome is Outcome.UNKNOWN
    assert "roles/iam.serviceAccountTokenCreator" in finding.seen


def test_a_push_that_may_not_call_is_named() -> None:
    """The finding names the account, its subscription and the missing role."""
    double = healthy()
    double.answers[f"GET {RUN}/loader:getIamPolicy"] = {}
    finding = found(double, "access of pushes and schedules")
    assert finding.outcome is Outcome.FAIL
    assert "push@p1.iam, which subscription loader calls as, lacks roles/run.invoker on loader" in finding.seen


def test_a_grant_on_the_whole_project_will_do() -> None:
    """A grant on the whole project is sufficient for its services."""
    double = healthy()
    double.answers[f"GET {RUN}/loader:getIamPolicy"] = {}
    members = ["serviceAccount:push@p1.iam"]
    double.answers[f"POST {WHOLE}:getIamPolicy"] = {"bindings": [{"role": "roles/run.invoker", "members": members}]}
    assert found(double, "access of pushes and schedules").outcome is Outcome.PASS


def test_dead_letters_that_cannot_be_published_are_named() -> None:
    """Pub/Sub's agent needs roles on the dead-letter topic and the subscription, which the finding names."""
    double = healthy()
    double.answers[f"GET {PUBSUB}/topics/feed-minutes-dead:getIamPolicy"] = {}
    double.answers[f"GET {PUBSUB}/subscriptions/loader:getIamPolicy"] = {}
    finding = found(double, "access of dead letters")
    assert finding.seen == (
        "the agent lacks roles/pubsub.publisher on feed-minutes-dead; the agent lacks roles/pubsub.subscriber on loader"
    )
