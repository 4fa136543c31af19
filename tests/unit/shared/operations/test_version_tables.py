"""Newest versions that are not folded are a mismatch when they are many compared with base, and not before."""

from datetime import timedelta

import pytest

from shared.operations.accounts import EVER
from shared.operations.findings import Finding
from shared.operations.health import FOLD_MIN_ROWS
from shared.operations.version_tables import VersionTables
from tests.support.doubles import NOON


def tables(old_rows: int, base_rows: int) -> VersionTables:
    """Return tables that agree."""
    return VersionTables(
        feed="domains",
        base_rows=base_rows,
        base_ids=base_rows,
        generations=min(base_rows, 1),
        generation=NOON if base_rows else None,
        old_rows=old_rows,
        oldest=NOON - timedelta(days=3) if old_rows else None,
        future_rows=0,
        fence_rows=1,
        fence_generation=NOON if base_rows else EVER,
    )


@pytest.mark.parametrize(
    ("old_rows", "base_rows", "is_overdue"),
    [
        (0, 0, False),
        (2 * FOLD_MIN_ROWS, 0, False),
        (2 * FOLD_MIN_ROWS + 1, 0, True),
        (2 * FOLD_MIN_ROWS + 1, 100 * FOLD_MIN_ROWS, False),
        (20 * FOLD_MIN_ROWS, 100 * FOLD_MIN_ROWS, False),
        (20 * FOLD_MIN_ROWS + 1, 100 * FOLD_MIN_ROWS, True),
    ],
)
def test_folds_that_fail_are_named_at_a_fifth_of_base(old_rows: int, base_rows: int, is_overdue: bool) -> None:
    """The mismatch has both figures, the age of the oldest row, and what to do."""
    wrong = Finding(
        f"recent has {old_rows} rows that wait for a fold, the oldest since 2026-11-18T12:00:00Z, and base has "
        f"{base_rows}",
        "gti-mesh fold domains",
    )
    assert list(tables(old_rows, base_rows).findings()) == ([wrong] if is_overdue else [])
