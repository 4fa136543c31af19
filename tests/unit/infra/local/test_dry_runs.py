"""The statement type that the emulator reports for a text."""

import pytest

from infra.local.dry_runs import statement_type, without_rows


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", "SELECT"),
        ("(SELECT 1);", "SELECT"),
        ("SELECT 1; -- end", "SELECT"),
        ("SELECT 1 UNION ALL SELECT 2", "SELECT"),
        ("WITH a AS (SELECT 1) SELECT * FROM a EXCEPT DISTINCT SELECT 2", "SELECT"),
        ("-- DELETE FROM t;\nSELECT ';' AS x", "SELECT"),
        ("SELECT 1; DELETE FROM t WHERE TRUE", "SCRIPT"),
        ("DECLARE x INT64; SELECT x", "SCRIPT"),
        ("BEGIN DELETE FROM t WHERE TRUE; END", "SCRIPT"),
        ("EXECUTE IMMEDIATE 'DELETE FROM t WHERE TRUE'", "SCRIPT"),
        ("DELETE FROM t WHERE TRUE", "DELETE"),
        ("INSERT INTO t (a) SELECT 1", "INSERT"),
        ("CREATE OR REPLACE TABLE t AS SELECT 1 AS x", "CREATE_TABLE_AS_SELECT"),
        ("EXPORT DATA OPTIONS(uri='gs://b/*', format='CSV') AS SELECT 1", "EXPORT_DATA"),
        ("GRANT `roles/x` ON TABLE t TO 'user:a'", "GRANT"),
        ("TRUNCATE TABLE t", "TRUNCATE_TABLE"),
        ("SELEC 1", ""),
        ("SELEC", ""),
        ("hello world", ""),
        ("1 + 1", ""),
        ("-- nothing", ""),
    ],
)
def test_only_a_query_is_a_select(sql: str, kind: str) -> None:
    """A union is a SELECT; every script, and every statement that may write, is not."""
    assert statement_type(sql) == kind


@pytest.mark.parametrize(
    "sql", ["SELECT ';' AS x; -- end", "SELECT ';' AS x -- end", "/* a; */ SELECT ';' AS x;", "SELECT ';' AS x\n;\n"]
)
def test_a_query_without_rows_ends_where_the_query_does(sql: str) -> None:
    """Neither a semicolon nor a comment cuts it off."""
    lines = without_rows(sql).splitlines()
    assert (lines[0], lines[-1]) == ("SELECT * FROM (", ") LIMIT 0")
    assert lines[1].endswith("SELECT ';' AS x")
