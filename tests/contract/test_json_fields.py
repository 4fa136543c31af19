"""JSON fields on the local warehouse, and failing queries, through Google's client."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud import bigquery

from infra.endpoints import Endpoints
from tests.support.json_fields import MINUTE, QUESTIONS, RECORDS, Question
from tests.support.waiting import PATIENCE
from tests.support.warehouse import Warehouse, provisioned

Ask = Callable[[bigquery.Client, str], Any]


def by_job(client: bigquery.Client, sql: str) -> Any:
    """Run a query with `client.query`: a job, then its result."""
    return client.query(sql, timeout=PATIENCE).result(timeout=PATIENCE)


def by_query(client: bigquery.Client, sql: str) -> Any:
    """Run a query with `client.query_and_wait`: one request."""
    return client.query_and_wait(sql, wait_timeout=PATIENCE)


def within(warehouse: Warehouse, sql: str) -> str:
    """Return a query with the dataset's name."""
    return sql.replace("vt_feeds.", f"{warehouse.dataset}.")


BOTH = pytest.mark.parametrize("ask", [by_job, by_query])


@pytest.fixture(scope="module")
def filled(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return a warehouse that holds the records."""
    with provisioned(emulators) as warehouse:
        warehouse.load(warehouse.land(MINUTE, *RECORDS))
        warehouse.merge()
        yield warehouse


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.title)
def test_fields_of_json_are_read_as_in_bigquery(filled: Warehouse, question: Question) -> None:
    """JSON fields are read in every clause of a query, over JSON columns alone."""
    rows = by_query(filled.client, within(filled, question.sql))
    assert [{name.lower(): value for name, value in row.items()} for row in rows] == question.rows


def test_json_of_the_view_is_json(filled: Warehouse) -> None:
    """The client returns JSON as a value and not as text."""
    [row] = filled.run(within(filled, "SELECT attributes FROM `vt_feeds.domains` WHERE id = 'b.example'"))
    assert row["attributes"] == RECORDS[1]["attributes"]


@BOTH
@pytest.mark.parametrize(
    ("sql", "kind", "reason"),
    [
        ("SELECT no_such_column FROM `vt_feeds.domains`", BadRequest, "no_such_column"),
        ("SELECT tags.no_such_field FROM `vt_feeds.domains`", BadRequest, "no_such_field"),
        ("SELECT 1 FROM `vt_feeds.no_such_table`", NotFound, "no_such_table"),
        ("SELECT FROM WHERE", BadRequest, "Syntax error"),
        ("SELECT 1 / 0", BadRequest, "(?i)division by zero"),
        ("SELECT NO_SUCH_FUNCTION(1)", BadRequest, "(?i)no_such_function"),
        ("CREATE TABLE `vt_feeds.domains_history` (a INT64)", Conflict, "domains_history"),
    ],
)
def test_a_query_that_fails_is_an_error(
    filled: Warehouse, ask: Ask, sql: str, kind: type[GoogleAPICallError], reason: str
) -> None:
    """A failing query raises with its own reason through both ways of calling; an empty result would hide it."""
    with pytest.raises(kind, match=reason):
        list(ask(filled.client, within(filled, sql)))


@BOTH
def test_a_query_without_rows_is_no_error(filled: Warehouse, ask: Ask) -> None:
    """A query without rows has a schema and no rows."""
    rows = ask(filled.client, within(filled, "SELECT id FROM `vt_feeds.domains` WHERE id = 'nobody'"))
    assert ([field.name for field in rows.schema], list(rows)) == (["id"], [])
