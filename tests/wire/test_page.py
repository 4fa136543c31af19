"""The status page as functions-framework serves it."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from infra.endpoints import Endpoints
from services.status_page.document import document
from shared.contracts.interfaces import LedgerRow
from shared.contracts.minutes import format_minute, last_due
from tests.support.warehouse import Warehouse, provisioned
from tests.wire.conftest import Open

STATE = "state/planner/domains.json"


@pytest.fixture(scope="module")
def shared_warehouse(emulators: Endpoints) -> Iterator[Warehouse]:
    """Provision once for this module."""
    with provisioned(emulators) as warehouse:
        yield warehouse


@pytest.fixture
def page(
    wired: Endpoints, shared_warehouse: Warehouse, open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """Return the page's client for a mesh that has planned and merged one minute, and has one poison message."""
    del wired
    warehouse = shared_warehouse
    warehouse.clear()
    warehouse.bucket.delete(STATE)
    now = datetime.now(UTC)
    minute = last_due(now)
    plan = f'{{"first": "{format_minute(minute)}", "watermark": "{format_minute(minute)}"}}'
    warehouse.bucket.create(STATE, plan.encode())
    warehouse.ledger.record(
        [
            LedgerRow("merged", now, "domains", minute, lines=3, rejected=1, job_id="a-job"),
            LedgerRow(
                "dead",
                now,
                reason="the message <b>never</b>",
                source="downloader",
                attempts=1,
                message_id="17",
                error_type="invalid_message",
            ),
        ]
    )
    monkeypatch.setenv("BQ_DATASET", warehouse.dataset)
    yield open_service("status_page", "page")
    warehouse.bucket.delete(STATE)


def test_the_page_is_one_document(page: FlaskClient) -> None:
    """The page is HTML under a policy that allows nothing else to run; with a current copy a browser gets 304."""
    answer = page.get("/")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert answer.get_data(as_text=True) == document().html
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert page.get("/", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_the_data_is_what_the_ledger_says(page: FlaskClient) -> None:
    """Minutes, dead letters with their commands, and the same content and tag for the next viewer."""
    answer = page.get("/data.json")
    data = answer.get_json()
    assert answer.status_code == 200
    [feed] = data["feeds"]
    # Minutes that became due since the plan follow the one that it has.
    minute = len(feed["cells"]) - len(feed["cells"].lstrip("-"))
    assert (feed["cells"][minute], feed["lines"][minute], feed["job"][minute]) == ("m", 3, "a-job")
    assert feed["cells"].count("m") == 1
    [letter] = data["dead_letters"]
    assert (letter["reason"], letter["remedy"]) == ("the message <b>never</b>", "gti-mesh dead discard 17")
    assert datetime.fromisoformat(answer.headers["X-Read-At"]) <= datetime.now(UTC)
    assert int(answer.headers["X-Read-Age"]) >= 0
    again = page.get("/data.json", headers={"If-None-Match": answer.headers["ETag"], "Accept-Encoding": "gzip"})
    assert (again.status_code, again.data) == (304, b"")
    packed = page.get("/data.json", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.data) == answer.data


@pytest.mark.parametrize("path", ["/", "/data.json"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_page_can_change_nothing(page: FlaskClient, method: str, path: str) -> None:
    """Methods other than GET are refused before anything is read; HEAD is a GET without a body."""
    answer = page.open(path, method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert page.head(path).data == b""


def test_there_is_nothing_else(page: FlaskClient) -> None:
    """Another path gets a 404 that names the existing ones."""
    answer = page.get("/dead/redrive")
    assert (answer.status_code, answer.data) == (404, b"not found; use / or /data.json\n")


@pytest.mark.usefixtures("page")
def test_what_cannot_be_read_is_said(open_service: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreadable ledger gives a 503 with what to run, and no tag, so that it is not cached."""
    monkeypatch.setenv("BQ_DATASET", "never_made")
    answer = open_service("status_page", "page").get("/data.json")
    assert answer.status_code == 503
    assert "gti-mesh provision" in answer.get_json()["error"]
    assert "ETag" not in answer.headers
