"""When a fold is due, what it may take, and that it never exceeds its deadline."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stamina

from services.merger.fold import Folder, FoldResult
from shared.contracts.outcomes import Retryable
from shared.feeds.definition import Feed, Headline, find_feed
from shared.warehouse.errors import ConcurrentUpdate, RateLimited
from shared.warehouse.rendering import render
from tests.support.doubles import NOON, Clock

DOMAINS = find_feed("domains")
END = NOON + timedelta(minutes=20)
GENERATION = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Versions:
    """Runs SQL as BigQuery would, for tables of given sizes.

    Of recent, `young` rows are not old enough to fold, and `old` ones were so hours ago.
    """

    def __init__(self, recent: int, base: int, *troubles: Exception, young: int = 0, old: int = 0) -> None:
        self.recent = recent
        self.base = base
        self.young = young
        self.old = old
        self.troubles = list(troubles)
        self.clock = Clock()
        self.asked: list[str] = []
        self.allowed: list[float] = []

    def __call__(self, sql: str, /, *, seconds: float) -> Sequence[Mapping[str, Any]]:
        """Count, or fold."""
        self.asked.append(sql)
        if "BEGIN TRANSACTION" in sql:
            return [self._fold(seconds)]
        if "foldable_rows" in sql:
            return [{"foldable_rows": self.recent - self.young, "old_rows": self.old}]
        return [{"recent_rows": self.recent, "base_rows": self.base}]

    def _fold(self, seconds: float) -> Mapping[str, Any]:
        self.allowed.append(seconds)
        if self.troubles:
            raise self.troubles.pop(0)
        self.old = 0
        folded, self.recent, self.base = self.recent - self.young, self.young, self.base + self.recent - self.young
        return {"generation": GENERATION, "folded_rows": folded, "base_rows": self.base}


def folder(versions: Versions, min_rows: int = 10) -> Folder:
    """Return a folder of these tables."""
    return Folder(
        run=versions, dataset="p.d", now=versions.clock, min_rows=min_rows, keep_hours=2, pause=versions.clock.pause
    )


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.mark.parametrize(
    ("recent", "base", "young", "is_due"),
    [
        (9, 0, 0, False),
        (10, 0, 0, True),
        (99, 1000, 0, False),
        (100, 1000, 0, True),
        (100, 1000, 1, False),
        (200, 1000, 100, True),
    ],
)
def test_a_fold_is_due_at_a_tenth_of_base(recent: int, base: int, young: int, is_due: bool) -> None:
    """A fold is due at a tenth of base in rows that are old enough, and never below the minimum."""
    assert folder(Versions(recent, base, young=young)).is_due(DOMAINS, end=END) is is_due


def test_what_is_billed_is_asked_for_only_when_all_rows_are_enough() -> None:
    """The number of rows is free metadata; their times are a billed column, read only if all rows are enough."""
    versions = Versions(99, 1000)
    assert not folder(versions).is_due(DOMAINS, end=END)
    assert not any("merged_at" in sql for sql in versions.asked)


@pytest.mark.parametrize(
    ("old", "base", "min_rows", "is_overdue"),
    [
        (2_000_001, 0, 10, True),
        (2_000_000, 0, 10, False),
        (2_000_001, 9_000_000, 10, True),
        (2_000_001, 10_000_010, 10, False),
        (2_000_001, 9_000_000, 3_000_000, False),
    ],
)
def test_a_fold_that_is_overdue_is_logged(
    caplog: pytest.LogCaptureFixture, old: int, base: int, min_rows: int, is_overdue: bool
) -> None:
    """By the threshold of status and audit, and not below the rows from which a fold is due: the alarm counts it."""
    folder(Versions(old, base, old=old), min_rows).is_due(DOMAINS, end=END)
    assert [record.getMessage().startswith("merger.fold_overdue: ") for record in caplog.records] == [True] * is_overdue


def test_a_backfill_of_a_young_mesh_is_not_overdue(caplog: pytest.LogCaptureFixture) -> None:
    """Each hour brings as many rows as base has, of which the fold takes those of two hours ago: no fold has failed."""
    versions = Versions(0, 0)
    arriving = 5_000_000
    for _ in range(10):
        versions.recent, versions.young = versions.young + arriving, arriving
        assert folder(versions).is_due(DOMAINS, end=END) is (versions.recent > arriving)
        folder(versions).fold(DOMAINS, end=END)
    assert not [record for record in caplog.records if "fold_overdue" in record.getMessage()]


def test_a_fold_says_what_it_did() -> None:
    """The result of a fold has its generation, the rows taken, and base's rows."""
    versions = Versions(100, 1000, young=5)
    assert folder(versions).fold(DOMAINS, end=END) == FoldResult("2026-11-21T12:00:00Z", 95, 1095)
    assert versions.allowed == [20 * 60]


@pytest.mark.parametrize("trouble", [ConcurrentUpdate("aborted due to concurrent update"), RateLimited("rate limits")])
def test_a_fold_that_met_another_statement_runs_again(trouble: Exception) -> None:
    """A fold that conflicts with a merge is run again, since it has changed nothing."""
    assert folder(Versions(100, 1000, trouble)).fold(DOMAINS, end=END).folded_rows == 100


def test_a_fold_that_exceeds_its_deadline_is_not_tried_again() -> None:
    """A fold that exceeds its deadline is not repeated, since it would be billed again; the next run decides."""
    versions = Versions(100, 1000, Retryable("job exceeded its time limit"))
    with pytest.raises(Retryable, match="time limit"):
        folder(versions).fold(DOMAINS, end=END)
    assert len(versions.allowed) == 1


BEHAVIOURS = Feed(
    name="file_behaviours",
    path="file-behaviours",
    object_type="file_behaviour",
    licence="x",
    description="Sandbox reports.",
    version=("analysis_date",),
    headline=(
        Headline(name="analysis_date", type="TIMESTAMP", path="attributes.analysis_date", description="x"),
        Headline(name="sandbox_name", type="STRING", path="attributes.sandbox_name", description="x"),
    ),
)


def test_the_view_compares_versions_column_by_column_both_ways() -> None:
    """Each column counts only where all before it are equal, a missing date is 1970; the branches are complementary."""
    sql = " ".join(render("shared.warehouse/current_view.sql", dataset="p.d", feed=BEHAVIOURS).split())
    fresh, base = (f"COALESCE({side}.analysis_date, TIMESTAMP_SECONDS(0))" for side in ("fresh", "base"))
    newer = (
        f"{fresh} > {base} OR ({fresh} = {base} AND (fresh.feed_minute > base.feed_minute OR "
        "(fresh.feed_minute = base.feed_minute AND (fresh.feed_line > base.feed_line))))"
    )
    assert f"WHERE fresh.id IS NULL OR NOT ( {newer} )" in sql
    assert f"WHERE base.id IS NULL OR ( {newer} )" in sql


def written(keep_hours: int | None) -> list[str]:
    """Return the statements of a fold that write."""
    sql = render("services.merger/fold.sql", dataset="p.d", feed=DOMAINS, keep_hours=keep_hours, max_hours=3000)
    statements = [" ".join(statement.split()) for statement in sql.split(";")]
    return [statement for statement in statements if re.match("UPDATE|INSERT|DELETE", statement)]


def test_a_fold_deletes_whole_partitions_only() -> None:
    """A fold's DELETE statements name the partitioning columns and whole hours, so that they are not billed."""
    deleted = [statement.partition("WHERE ")[2] for statement in written(2) if statement.startswith("DELETE")]
    assert deleted == ["folded_at < new_generation", "merged_at < fold_end"]


def test_a_fold_takes_the_fence_first() -> None:
    """A fold updates the fence first, so that it conflicts with a merge in progress."""
    assert written(2)[0] == "UPDATE `p.d.domains_fence` SET `at` = CURRENT_TIMESTAMP() WHERE TRUE"
