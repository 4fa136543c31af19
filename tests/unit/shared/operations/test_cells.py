"""Values of BigQuery as text."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from google.cloud.bigquery import SchemaField
from hypothesis import given
from hypothesis import strategies as st

from shared.operations.cells import csv_value, json_value, terminal_value
from shared.runtime.foreign_text import visible

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def column(kind: str = "STRING", mode: str = "NULLABLE") -> SchemaField:
    """Return a column of some type."""
    return SchemaField("c", kind, mode)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (True, True),
        (2**62, 2**62),
        (1.5, 1.5),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (Decimal("1.250"), "1.25"),
        (Decimal("1E+3"), "1000"),
        (b"\xff\xfe?", "//4/"),
        (NOON, "2026-11-21T12:00:00Z"),
        (NOON.replace(microsecond=5), "2026-11-21T12:00:00.000005Z"),
        (NOON.replace(tzinfo=None), "2026-11-21T12:00:00"),
        (date(2026, 11, 21), "2026-11-21"),
        (time(12, 30), "12:30:00"),
        ([NOON, None], ["2026-11-21T12:00:00Z", None]),
        ({"x": [Decimal(2)], "y": {"z": b""}}, {"x": ["2"], "y": {"z": ""}}),
    ],
)
def test_a_value_is_json_as_bigquery_writes_it(value: object, written: object) -> None:
    """Times end in Z, bytes are base64, and numbers that JSON lacks are strings."""
    assert json_value(value) == written
    json.dumps(json_value(value), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "kind", "shown", "field"),
    [
        (None, "STRING", "NULL", ""),
        ("", "STRING", "", ""),
        ("[red]x[/]", "STRING", "[red]x[/]", "[red]x[/]"),
        ("two\nlines", "STRING", "two\\nlines", "two\nlines"),
        ("x", "JSON", '"x"', '"x"'),
        ({"a": [1, "ü"]}, "JSON", '{"a": [1, "ü"]}', '{"a": [1, "ü"]}'),
        (True, "BOOLEAN", "true", "true"),
        (NOON, "TIMESTAMP", "2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z"),
        (["a", None], "STRING", '["a", null]', '["a", null]'),
    ],
)
def test_a_value_is_one_line_of_a_terminal_and_one_field_of_csv(
    value: object, kind: str, shown: str, field: str
) -> None:
    """NULL is visible in a table and empty in CSV; JSON, arrays and structs are JSON in both."""
    assert terminal_value(value, column(kind)) == shown
    assert csv_value(value, column(kind)) == field


@given(st.text())
def test_nothing_in_a_text_can_control_a_terminal(text: str) -> None:
    """Unprintable characters are escaped; printable ones are unchanged."""
    assert visible(text).isprintable()
    assert not text.isprintable() or visible(text) == text


@pytest.mark.parametrize("nasty", ["\x1b[2J", "\x9b31m", "\r", "\u202e", "\x07", "\u2028"])
def test_what_terminals_obey_is_shown_instead(nasty: str) -> None:
    """Escape sequences, bells, line breaks and bidirectional control characters are escaped."""
    assert nasty not in terminal_value(f"a{nasty}b", column())
    assert nasty not in terminal_value([f"a{nasty}b"], column(mode="REPEATED"))
