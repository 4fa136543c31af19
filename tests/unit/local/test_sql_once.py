"""SQL that the BigQuery emulator reads again and again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlglot import exp, parse_one
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import ErrorLevel, ParseError, UnsupportedError

from infra.local.sql_once import parse_each_text_once, use_generators_again

TEXT = """
SELECT JSON_VALUE(object, '$.id') AS id /* why */ FROM t WHERE n = @n
QUALIFY ROW_NUMBER() OVER (PARTITION BY id) = 1
"""


class Once(BigQuery):
    """A dialect of these tests' own, so that the others stay as they are."""


parse_each_text_once(Once)
use_generators_again(Once)


def test_a_known_text_is_a_tree_of_its_own() -> None:
    """The second reading equals the first and BigQuery's, and what is done to one tree does not show in another."""
    [first], [second] = Once().parse(TEXT), Once().parse(TEXT)
    assert isinstance(first, exp.Select)
    first.where("FALSE", copy=False)
    assert second == Once().parse(TEXT)[0] == BigQuery().parse(TEXT)[0]
    assert second != first


def test_nothing_between_two_semicolons_is_no_tree() -> None:
    """A script keeps its places."""
    assert [tree and tree.sql() for tree in Once().parse("SELECT 1;;SELECT 2")] == [
        tree and tree.sql() for tree in BigQuery().parse("SELECT 1;;SELECT 2")
    ]


def test_a_text_that_cannot_be_read_raises_each_time() -> None:
    """Unless the caller's options say otherwise, and they belong to the text."""
    for _ in range(2):
        with pytest.raises(ParseError):
            Once().parse("SELECT (")
    assert Once().parse("SELECT (", error_level=ErrorLevel.IGNORE)
    with pytest.raises(ParseError):
        Once().parse("SELECT (")


def test_a_generator_writes_what_a_new_one_would() -> None:
    """However often and from however many threads at once, with the options that are asked for."""
    [tree] = BigQuery().parse(TEXT)
    assert tree
    plain, pretty = BigQuery().generate(tree), BigQuery().generate(tree, pretty=True)
    assert plain != pretty

    def write(number: int) -> bool:
        return Once().generate(tree, pretty=bool(number % 2)) == (pretty if number % 2 else plain)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(write, range(200)))


def test_a_generator_that_raised_leaves_no_trace() -> None:
    """What it could not write shows in no later statement."""
    for _ in range(2):
        with pytest.raises(UnsupportedError, match="EXCEPT"):
            Once().generate(parse_one("SELECT 1 EXCEPT ALL SELECT 2"), unsupported_level=ErrorLevel.RAISE)
        assert Once().generate(parse_one("SELECT 1"), unsupported_level=ErrorLevel.RAISE) == "SELECT 1"
