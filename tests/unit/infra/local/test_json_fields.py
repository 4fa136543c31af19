"""Fields of JSON and structs in SQL translated by the BigQuery emulator."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.json_fields import with_json_fields

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).map(lambda name: f"f{name}")
STEPS = st.lists(st.one_of(NAMES, st.integers(0, 20)), min_size=1, max_size=6)


def dotted(root: str, steps: list[str | int]) -> str:
    """Return a path in the analysts' notation."""
    return root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def explicit(root: str, steps: list[str | int]) -> str:
    """Return a path in the translated notation."""
    written = root
    for step in steps:
        written = f"gti_mesh_element({written}, {step})" if isinstance(step, int) else f"{written}['{step}']"
    return written


@settings(deadline=timedelta(seconds=5))
@given(steps=STEPS, root=st.sampled_from(["attributes", "t.attributes"]))
def test_any_path_is_written_out(steps: list[str | int], root: str) -> None:
    """Names keep their case, elements their index, and brackets stay unchanged."""
    query = "SELECT {} AS x FROM d.t AS t"
    written = with_json_fields(query.format(dotted(root, steps)))
    assert written == query.format(explicit(root, steps))
    assert with_json_fields(written) == written


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT t.id, u.id AS other FROM d.t AS t JOIN d.u AS u ON t.id = u.id WHERE t.id > 'a'",
        "SELECT id FROM d.t AS t WHERE EXISTS(SELECT 1 AS one FROM d.u AS u WHERE u.id = t.id)",
        "WITH c AS (SELECT 1 AS n) SELECT c.n FROM c",
        "UPDATE d.t AS t SET s.f = u.n FROM d.u AS u WHERE t.id = u.id",
        "SELECT domains.* FROM d.domains",
        "SELECT d.f(id) AS x, NET.HOST(url) AS y FROM d.t",
        "SELECT SPLIT(a, ',')[OFFSET(0)] AS x FROM d.t",
    ],
)
def test_what_is_no_field_stays_as_it_is(sql: str) -> None:
    """Aliases of tables, functions of datasets and targets of SET are not fields."""
    assert with_json_fields(sql) == sql


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT a.b FROM t AS a", "SELECT a.b FROM t AS a"),
        ("SELECT A.b FROM t AS a", "SELECT A.b FROM t AS a"),
        ("SELECT a.b FROM t", "SELECT a['b'] AS `b` FROM t"),
        ("SELECT (SELECT MAX(b.c.e) FROM u AS b) AS x, b.c FROM t", None),
        ("SELECT a[0], COUNT(*), id FROM t", "SELECT gti_mesh_element(a, 0) AS `f0_`, COUNT(*) AS `f1_`, id FROM t"),
        ("SELECT a[ORDINAL(2)] AS x FROM t", "SELECT gti_mesh_element(a, 2 - 1) AS x FROM t"),
        ("SELECT STRING(a.b) AS x FROM t", "SELECT gti_mesh_string(a['b']) AS x FROM t"),
        ("SELECT STRING(a, 'UTC') AS x FROM t", "SELECT STRING(a, 'UTC') AS x FROM t"),
    ],
)
def test_a_name_means_what_it_means_in_its_place(sql: str, written: str | None) -> None:
    """An alias is visible in its own query and in subqueries, not outside."""
    expected = written or "SELECT (SELECT MAX(b.c['e']) FROM u AS b) AS x, b['c'] AS `c` FROM t"
    assert with_json_fields(sql) == expected


@pytest.mark.parametrize("sql", ["SELECT FROM WHERE", "SELECT a.null FROM t", "", "SELECT 'open"])
def test_what_cannot_be_parsed_is_left_to_the_emulator(sql: str) -> None:
    """The emulator reports the syntax error."""
    assert with_json_fields(sql) == sql
