"""Cached parsing of SQL in the BigQuery emulator."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from bqemulator.sql.rewriter.row_access_filter import _Rewriter
from sqlglot import exp, parse_one
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import ErrorLevel, ParseError, UnsupportedError

from infra.local.sql_once import leave_views_to_the_database, parse_each_text_once, use_generators_again

TEXT = """
SELECT JSON_VALUE(object, '$.id') AS id /* why */ FROM t WHERE n = @n
QUALIFY ROW_NUMBER() OVER (PARTITION BY id) = 1
"""


class Once(BigQuery):
    """A separate dialect for these tests, so that others are not affected."""


parse_each_text_once(Once)
use_generators_again(Once)


def test_a_known_text_is_a_tree_of_its_own() -> None:
    """The second parse equals the first and BigQuery's, and changes to one tree do not affect another."""
    [first], [second] = Once().parse(TEXT), Once().parse(TEXT)
    assert isinstance(first, exp.Select)
    first.where("FALSE", copy=False)
    assert second == Once().parse(TEXT)[0] == BigQuery().parse(TEXT)[0]
    assert second != first


def test_nothing_between_two_semicolons_is_no_tree() -> None:
    """The statements of a script keep their positions."""
    assert [tree and tree.sql() for tree in Once().parse("SELECT 1;;SELECT 2")] == [
        tree and tree.sql() for tree in BigQuery().parse("SELECT 1;;SELECT 2")
    ]


def test_a_text_that_cannot_be_read_raises_each_time() -> None:
    """Options of the caller are respected, and are part of the cache key."""
    for _ in range(2):
        with pytest.raises(ParseError):
            Once().parse("SELECT (")
    assert Once().parse("SELECT (", error_level=ErrorLevel.IGNORE)
    with pytest.raises(ParseError):
        Once().parse("SELECT (")


def test_a_generator_writes_what_a_new_one_would() -> None:
    """The result is the same for any number of calls and threads, with the given options."""
    [tree] = BigQuery().parse(TEXT)
    assert tree
    plain, pretty = BigQuery().generate(tree), BigQuery().generate(tree, pretty=True)
    assert plain != pretty

    def write(number: int) -> bool:
        return Once().generate(tree, pretty=bool(number % 2)) == (pretty if number % 2 else plain)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(write, range(200)))


def test_a_generator_that_raised_leaves_no_trace() -> None:
    """A failed statement does not affect later ones."""
    for _ in range(2):
        with pytest.raises(UnsupportedError, match="EXCEPT"):
            Once().generate(parse_one("SELECT 1 EXCEPT ALL SELECT 2"), unsupported_level=ErrorLevel.RAISE)
        assert Once().generate(parse_one("SELECT 1"), unsupported_level=ErrorLevel.RAISE) == "SELECT 1"


class _Views(_Rewriter):
    """The emulator's query rewriter does not inline views."""


leave_views_to_the_database(_Views)


def test_a_view_is_left_to_the_database() -> None:
    """A view's text does not replace its name, which the emulator's own rewriter would do."""
    catalog: Any = SimpleNamespace(
        get_table=lambda *_: SimpleNamespace(table_type="VIEW", view_query="SELECT 1 AS x"),
        list_row_access_policies=lambda *_: (),
    )
    for kind, text in ((_Views, "SELECT * FROM p.d.v"), (_Rewriter, "SELECT * FROM (SELECT 1 AS x) AS v")):
        tree = parse_one("SELECT * FROM p.d.v", read="bigquery")
        kind(project_id="p", catalog=catalog, matcher=Any).rewrite_tree(tree, depth=0)  # type: ignore[arg-type]
        assert tree.sql(dialect="bigquery") == text
