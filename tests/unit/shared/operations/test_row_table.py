"""Rows on a terminal."""

from collections.abc import Sequence
from io import StringIO

from google.cloud.bigquery import SchemaField
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from shared.operations.row_table import show_rows


def printed(rows: Sequence[Sequence[object]], width: int, *columns: tuple[str, str]) -> tuple[str, bool]:
    """Return what a terminal of some width shows, and whether all of every value is in it."""
    console = Console(file=StringIO(), width=width, highlight=False, force_terminal=True, color_system=None)
    whole = show_rows([SchemaField(name, kind) for name, kind in columns], rows, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue(), whole


FEW = (("id", "STRING"), ("malicious", "INTEGER"))


def test_a_row_is_a_line_where_it_fits() -> None:
    """Names above, numbers to the right, nothing cut."""
    text, whole = printed([["a.example", 9], ["b.example", None]], 80, *FEW)
    lines = text.splitlines()
    assert whole
    assert "│ a.example │         9 │" in lines
    assert "│ b.example │      NULL │" in lines


def test_a_long_value_is_folded_and_whole() -> None:
    """An id that is wider than the terminal is folded; the number next to it is not."""
    digest = "0123456789abcdef" * 4
    text, whole = printed([[digest, 12_345_678]], 50, *FEW)
    parts = [line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│")]
    assert whole
    assert "".join(parts) == digest
    assert "12345678" in text
    assert max(map(len, text.splitlines())) <= 50


def test_many_columns_are_a_block_a_row() -> None:
    """A column a line, with its name, each value whole."""
    names = [f"column_{number}" for number in range(30)]
    text, whole = printed([["v" * 30] * 30, ["w" * 30] * 30], 80, *((name, "STRING") for name in names))
    assert whole
    assert text.count("v" * 30) == text.count("w" * 30) == 30
    assert [line for line in text.splitlines() if line.startswith("row ")] == ["row 1", "row 2"]
    assert all(name in text for name in names)


def test_very_long_values_are_cut_and_that_is_said() -> None:
    """A whole object of a feed is not printed into a table; its length is."""
    text, whole = printed([["a.example", {"blob": "x" * 5_000}]], 80, ("id", "STRING"), ("attributes", "JSON"))
    assert not whole
    assert "(5,012 characters)" in " ".join(text.replace("│", " ").split())
    assert len(text.splitlines()) < 20


def test_foreign_text_is_no_markup() -> None:
    """Square brackets are what the row holds, in names as in values."""
    text, _ = printed([["[bold red]x[/]", "[/]"]], 80, ("[link]", "STRING"), ("b", "STRING"))
    assert "[bold red]x[/]" in text
    assert "[link]" in text


@settings(deadline=None)
@given(
    st.lists(st.lists(st.text(max_size=300) | st.integers() | st.none(), min_size=3, max_size=3), max_size=4),
    st.integers(min_value=40, max_value=200),
)
def test_no_line_is_wider_than_the_terminal(rows: list[list[object]], width: int) -> None:
    """Whatever the rows hold, a terminal need not wrap."""
    text, _ = printed(rows, width, ("a", "STRING"), ("b", "STRING"), ("c", "INTEGER"))
    console = Console(file=StringIO(), width=width)
    assert all(console.measure(line).maximum <= width for line in text.splitlines() if line)
