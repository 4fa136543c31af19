"""The merger as functions-framework serves it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient

from infra.endpoints import Endpoints
from tests.support.landed import domain
from tests.support.waiting import PATIENCE
from tests.support.warehouse import Warehouse, utc
from tests.wire.conftest import Open


@pytest.fixture
def merger(warehouse: Warehouse, open_service: Open) -> FlaskClient:
    """Return the merger's client."""
    del warehouse
    return open_service("merger", "merge")


def test_it_says_what_it_merged(merger: FlaskClient, warehouse: Warehouse) -> None:
    """The response lists what was merged per feed; with nothing staged there is nothing to do."""
    warehouse.load(warehouse.land(utc(14, 10), domain("a"), domain("b")))
    warehouse.load(warehouse.land(utc(14, 12), domain("a")))
    answer = merger.post("/", json={})
    assert answer.status_code == 200
    assert answer.get_json() == {
        "domains": {
            "lines": 3,
            "minutes": 2,
            "first": "2026-11-21T14:10:00Z",
            "last": "2026-11-21T14:12:00Z",
            "transactions": 1,
            "left": 0,
        }
    }
    assert warehouse.read("domains_current", "id, feed_line") == [("a", 1), ("b", 2)]
    nothing = {"lines": 0, "minutes": 0, "first": None, "last": None, "transactions": 0, "left": 0}
    assert merger.post("/").get_json() == {"domains": nothing}


def test_it_folds_what_is_due(warehouse: Warehouse, open_service: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a low minimum each run folds; the rows are those of the merge before it."""
    monkeypatch.setenv("FOLD_MIN_ROWS", "1")
    monkeypatch.setenv("FOLD_KEEP_HOURS", "0")
    merger = open_service("merger", "merge")
    warehouse.load(warehouse.land(utc(14, 10), domain("a"), domain("b")))
    [fold] = merger.post("/", json={}).get_json()["folds"].values()
    assert (fold["folded_rows"], fold["base_rows"]) == (2, 2)
    assert warehouse.read("domains_base", "id") == [("a",), ("b",)]
    assert "folds" not in merger.post("/", json={}).get_json()


def test_a_feed_that_fails_is_a_500(wired: Endpoints, open_service: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing feed makes the response a 500 with what to do about it."""
    del wired
    monkeypatch.setenv("BQ_DATASET", "no_such_dataset")
    answer = open_service("merger", "merge").post("/", json={})
    assert answer.status_code == 500
    assert "run `gti-mesh provision`" in answer.get_json()["domains"]["error"]


def test_of_two_calls_at_once_one_merges(merger: FlaskClient, warehouse: Warehouse) -> None:
    """Of two calls at once one merges; the other gets an immediate response, which is not an error."""
    warehouse.load(warehouse.land(utc(14, 10), domain("a")))
    app = merger.application
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(lambda: app.test_client().post("/", json={})) for _ in range(4)]
        answers = [call.result(PATIENCE) for call in calls]
    assert {answer.status_code for answer in answers} == {200}
    bodies = [answer.get_json() for answer in answers]
    assert {"busy": True} in bodies
    assert sum(body.get("domains", {}).get("lines", 0) for body in bodies) == 1


def test_the_limit_on_billed_bytes_is_checked_at_the_start(
    wired: Endpoints, open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit below BigQuery's minimum of 10 MiB would refuse every merge, so the start fails."""
    del wired
    monkeypatch.setenv("MERGE_MAX_BYTES_BILLED", "1000")
    with pytest.raises(SystemExit, match="MERGE_MAX_BYTES_BILLED"):
        open_service("merger", "merge")
