"""The checks of bucket, dataset and tables."""

import pytest

from infra.doctor.scratch import Scratch
from infra.doctor.stores import store_checks
from shared.operations.doctor.check import Finding, Outcome
from tests.support.google_double import GoogleDouble, refused
from tests.support.healthy_project import STORAGE, TABLES, UPLOAD, healthy, project


def found(double: GoogleDouble, name: str) -> Finding:
    """Return what a check finds, and remove what it has made."""
    with Scratch() as scratch:
        [check] = [check for check in store_checks(project(double), scratch) if check.name == name]
        return check.look()


@pytest.mark.parametrize("name", ["location", "tables", "create existing object"])
def test_stores_as_declared_pass(name: str) -> None:
    """Every check passes on what `gti-mesh provision` makes."""
    assert found(healthy(), name).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("bucket", "dataset", "outcome"),
    [
        ("EU", "EU", Outcome.PASS),
        ("EUROPE-WEST4", "EU", Outcome.PASS),
        ("EUROPE-WEST4", "europe-west4", Outcome.PASS),
        ("ASIA-EAST1", "US", Outcome.PASS),
        ("US", "EU", Outcome.FAIL),
        ("EUROPE-WEST2", "EU", Outcome.FAIL),
        ("EU", "europe-west4", Outcome.FAIL),
    ],
)
def test_a_dataset_loads_from_where_bigquery_allows(bucket: str, dataset: str, outcome: Outcome) -> None:
    """The finding names both locations."""
    double = healthy()
    double.answers[f"GET {STORAGE}"] = {"location": bucket}
    double.answers[f"GET {TABLES}"] = {"location": dataset}
    assert found(double, "location") == Finding(outcome, f"bucket in {bucket}, dataset in {dataset.upper()}")


def test_missing_and_differing_tables_are_named() -> None:
    """A missing table, a missing column and a missing view each have a line."""
    double = healthy()
    del double.answers[f"GET {TABLES}/tables/domains_staging"]
    del double.answers[f"GET {TABLES}/tables/minute_status"]
    history = double.answers[f"GET {TABLES}/tables/domains_history"]
    assert isinstance(history, dict)
    fields = [one for one in history["schema"]["fields"] if one["name"] != "feed_line"]
    changed = {**history, "schema": {"fields": fields}, "clustering": {}, "timePartitioning": {"field": "at"}}
    double.answers[f"GET {TABLES}/tables/domains_history"] = changed
    assert found(double, "tables").seen == (
        "table domains_staging does not exist; domains_history.feed_line is missing, not INT64; "
        "domains_history is not partitioned by feed_minute; domains_history is not clustered by id; "
        "view minute_status does not exist"
    )


def test_an_object_that_exists_may_be_refused_with_403_or_taken() -> None:
    """A 403 means the same to the services as a 412; an accepted write fails. Neither leaves an object behind."""
    double = healthy()
    answers = iter([{}, refused(403, "storage.objects.delete denied"), {}, {}])
    double.answers[UPLOAD] = lambda _: next(answers)
    denied, taken = found(double, "create existing object"), found(double, "create existing object")
    assert (denied.outcome, taken.outcome) == (Outcome.PASS, Outcome.FAIL)
    assert denied.seen.startswith("403 instead of 412")
    assert sum(key.startswith("DELETE") for key in double.asked) == 2
