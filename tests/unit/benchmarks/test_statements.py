"""Tables and columns that a statement reads are found in its SQL."""

import pytest

from benchmarks.statements import Read, read_script, read_statement

SCHEMAS = {"a": frozenset({"id", "x", "y", "hour"}), "b": frozenset({"id", "z", "object"})}


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT x FROM `p.d.a` WHERE hour > 1", {"a": {"x", "hour"}}),
        ("SELECT COUNT(*) FROM `p.d.a`", {"a": set()}),
        ("SELECT * FROM `p.d.b`", {"b": {"id", "z", "object"}}),
        ("SELECT one.x FROM d.a AS one JOIN d.b AS two ON two.id = one.id", {"a": {"x", "id"}, "b": {"id"}}),
        ("SELECT two.object.name[0].first FROM d.b AS two", {"b": {"object"}}),
        ("SELECT object.name FROM d.b", {"b": {"object"}}),
        ("SELECT id FROM (SELECT id, y FROM d.a) AS inner_one", {"a": {"id", "y"}}),
        ("SELECT z FROM `d.b`(1, 2)", {"b": {"z"}}),
        ("INSERT INTO d.a (id, x) SELECT id, z FROM d.b", {"b": {"id", "z"}}),
        ("DELETE FROM d.a WHERE hour < 3", {"a": {"hour"}}),
        ("UPDATE d.a SET x = 1 WHERE y = 2", {"a": {"y"}}),
    ],
)
def test_columns_are_those_that_are_named(sql: str, reads: dict[str, set[str]]) -> None:
    """A column that is only written is not read."""
    assert {read.table: set(read.columns) for read in read_statement(sql, SCHEMAS).reads} == reads


def test_a_merge_reads_the_keys_of_its_target() -> None:
    """A merge reads the key columns of its target and the columns of its source; an insert updates nothing."""
    sql = (
        "MERGE d.a AS a USING (SELECT id, object FROM d.b) AS b ON a.id = b.id AND a.hour >= 5 "
        "WHEN NOT MATCHED THEN INSERT (id, x) VALUES (b.id, 1)"
    )
    merge = read_statement(sql, SCHEMAS)
    assert (merge.kind, merge.target, merge.updates) == ("MERGE", "a", False)
    assert set(merge.reads) == {Read("b", frozenset({"id", "object"})), Read("a", frozenset({"id", "hour"}))}
    assert read_statement(
        sql.replace("NOT MATCHED THEN INSERT (id, x) VALUES (b.id, 1)", "MATCHED THEN UPDATE SET x = 1"), SCHEMAS
    ).updates


def test_a_script_is_read_statement_by_statement() -> None:
    """Declarations and the transaction statements read nothing; a semicolon in a string ends no statement."""
    script = (
        "DECLARE n INT64; BEGIN TRANSACTION; UPDATE d.a SET x = 1 WHERE TRUE; "
        "SET n = (SELECT IF(COUNT(*) > 0, 1, ERROR('no row; stop')) FROM d.a WHERE x = 1); COMMIT TRANSACTION;"
    )
    assert [(one.kind, one.target) for one in read_script(script, SCHEMAS)] == [("UPDATE", "a"), ("SELECT", None)]
