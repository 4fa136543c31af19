"""Query rows on a terminal: a table if it fits, otherwise a block of lines per row."""

from collections.abc import Sequence
from dataclasses import dataclass

from google.cloud.bigquery import SchemaField
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.operations.cells import NULL, terminal_value
from shared.runtime.foreign_text import visible

Rows = Sequence[Sequence[object]]

# A table is readable as long as no column is narrower than this: numbers and timestamps stay on one line, other values
# are folded.
_MIN_WIDTH = 20
# Borders and padding of a column.
_PADDING = 3
# A table of longer values is mostly one value.
_LONGEST_IN_TABLE = 120
_LONGEST_IN_BLOCK = 300
_NUMBERS = {"INTEGER", "INT64", "FLOAT", "FLOAT64", "NUMERIC", "BIGNUMERIC"}


def show_rows(columns: Sequence[SchemaField], rows: Rows, console: Console) -> bool:
    """Print rows; return whether every value was printed completely."""
    table = _Cells.of(columns, rows, _LONGEST_IN_TABLE)
    if table.fits(console.width):
        console.print(table.as_table(console.width))
        return table.whole
    blocks = _Cells.of(columns, rows, _LONGEST_IN_BLOCK)
    for number in range(1, len(rows) + 1):
        console.print(Text(f"row {number}", style="bold"))
        console.print(blocks.as_block(number))
    return blocks.whole


@dataclass(frozen=True)
class _Cells:
    columns: Sequence[SchemaField]
    names: Sequence[str]
    rows: Sequence[Sequence[str]]
    whole: bool

    @classmethod
    def of(cls, columns: Sequence[SchemaField], rows: Rows, longest: int) -> "_Cells":
        texts = [[terminal_value(value, column) for value, column in zip(row, columns, strict=True)] for row in rows]
        cut = [[_cut(text, longest) for text in row] for row in texts]
        return cls(columns, [visible(column.name) for column in columns], cut, cut == texts)

    def widths(self) -> list[int]:
        """Return the width of every column with nothing folded."""
        return [max(map(cell_len, cells)) for cells in zip(self.names, *self.rows, strict=True)]

    def fits(self, width: int) -> bool:
        """Whether a table is readable at this width."""
        return sum(min(natural, _MIN_WIDTH) + _PADDING for natural in self.widths()) < width

    def as_table(self, width: int) -> Table:
        """Return a table with one line per row; only values that do not fit the width are folded."""
        folded = sum(natural + _PADDING for natural in self.widths()) >= width
        # If rows take several lines, a line separates them.
        table = Table(show_lines=folded)
        for name, column, natural in zip(self.names, self.columns, self.widths(), strict=True):
            right = column.field_type in _NUMBERS and column.mode != "REPEATED"
            table.add_column(
                Text(name),
                justify="right" if right else "left",
                overflow="fold",
                no_wrap=natural <= _MIN_WIDTH,
                min_width=min(natural, _MIN_WIDTH),
            )
        for row in self.rows:
            table.add_row(*map(_styled, row))
        return table

    def as_block(self, number: int) -> Table:
        """Return one row as a block, one line per column."""
        block = Table.grid(padding=(0, 2))
        block.add_column(no_wrap=True)
        block.add_column(overflow="fold")
        for name, text in zip(self.names, self.rows[number - 1], strict=True):
            block.add_row(Text(f"  {name}"), _styled(text))
        return block


def _styled(text: str) -> Text:
    return Text(text, style="dim" if text == NULL else "")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"
