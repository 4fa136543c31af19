"""The status has the number of newest versions that wait for a fold, and a problem when there are too many."""

from datetime import timedelta

import pytest

from shared.operations.health import FOLD_MIN_ROWS
from shared.operations.version_counts import VersionCounts
from tests.support.doubles import NOON


@pytest.mark.parametrize(("recent_rows", "base_rows", "ratio"), [(5, 0, None), (0, 8, 0.0), (1, 8, 0.125)])
def test_the_ratio_is_recent_to_base(recent_rows: int, base_rows: int, ratio: float | None) -> None:
    """Before the first fold there is no ratio."""
    counts = VersionCounts(recent_rows, base_rows, NOON - timedelta(days=1))
    assert counts.ratio == ratio
    assert counts.report()["ratio"] == ratio


def test_folds_that_fail_are_a_problem() -> None:
    """The limit is a fifth of base, as in the audit, in rows that folds have left: others may just have come."""
    base_rows = 100 * FOLD_MIN_ROWS
    assert list(VersionCounts(base_rows, base_rows, NOON, old_rows=base_rows // 5).problems("domains")) == []
    [problem] = VersionCounts(base_rows, base_rows, NOON, old_rows=base_rows // 5 + 1).problems("domains")
    assert problem.text == f"domains: {base_rows // 5 + 1} newest versions wait for a fold, and base has {base_rows}"
    assert problem.remedy == "gti-mesh fold domains"
