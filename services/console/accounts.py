"""The accounts of a feed: is every due minute somewhere, and is every line of a package in history or a reject.

What must hold at any time: lines = rows in history + rejected for a merged minute, lines = rows in history or staging
+ rejected for a loaded one, no line twice in history, the ledger's count equal to history's, one current row per id.
balanced, when all work is done: every due minute is merged, absent or dead, and staging is empty.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from google.cloud.bigquery import Row

from services.console.mesh import Mesh
from shared.feeds.definition import Feed
from shared.gcp.bigquery import bigquery_errors, run_query
from shared.minutes import format_minute, minutes_between
from shared.warehouse.rendering import render

EVER = datetime(1970, 1, 1, tzinfo=UTC)
_DONE = ("merged", "absent", "dead")


@dataclass(frozen=True)
class MinuteAccount:
    """One minute: what the ledger says of it and what the tables have; state None is a minute the ledger has not."""

    minute: datetime
    state: str | None
    at: datetime | None = None
    lines: int | None = None
    rejected: int | None = None
    reason: str | None = None
    merged_rows: int | None = None
    history_rows: int = 0
    history_lines: int = 0
    kept_lines: int = 0

    @property
    def done(self) -> bool:
        """Whether nothing more is to come."""
        return self.state in _DONE

    def mismatch(self) -> str | None:
        """Return what does not add up, or None; a minute that is still on its way may be short of lines."""
        if self.history_rows != self.history_lines:
            return f"has {self.history_rows} history rows for {self.history_lines} lines"
        if self.state == "merged":
            return self._merged_mismatch()
        if self.history_rows:
            return f"is {self.state or 'unknown to the ledger'} and has {self.history_rows} history rows"
        if self.state == "loaded" and self.lines != self.kept_lines + (self.rejected or 0):
            return f"has {self.lines} lines, {self.kept_lines} in staging and {self.rejected or 0} rejected"
        if self.state in (None, "absent") and self.kept_lines:
            return f"is {self.state or 'unknown to the ledger'} and has {self.kept_lines} lines in staging"
        return None

    def _merged_mismatch(self) -> str | None:
        if self.lines != self.history_rows + (self.rejected or 0):
            return f"has {self.lines} lines, {self.history_rows} history rows and {self.rejected or 0} rejected"
        if self.merged_rows != self.history_rows:
            return f"has {self.history_rows} history rows, and {self.merged_rows} by the ledger"
        return None


@dataclass(frozen=True)
class TableAccounts:
    """What must hold of a feed's tables; outdated is None where it was not looked at."""

    staging_rows: int
    view_rows: int
    current_ids: int
    lost_ids: int
    outdated: int | None = None

    def mismatches(self) -> Iterator[str]:
        """Yield what does not add up."""
        if self.view_rows != self.current_ids:
            yield f"the view has {self.view_rows} rows for {self.current_ids} ids"
        if self.lost_ids:
            yield f"{self.lost_ids} ids of history have no current row"
        if self.outdated:
            yield f"{self.outdated} ids do not show their newest version"


@dataclass(frozen=True)
class FeedAccounts:
    """All minutes of a feed, and its tables."""

    minutes: tuple[MinuteAccount, ...]
    tables: TableAccounts

    def wrong(self) -> Iterator[str]:
        """Yield everything that does not add up, in a line each."""
        for account in self.minutes:
            if mismatch := account.mismatch():
                yield f"{format_minute(account.minute)} {mismatch}"
        yield from self.tables.mismatches()

    def mismatches(self) -> Iterator[str]:
        """Yield everything that is not balanced, in a line each: what does not add up, and what is not done."""
        yield from self.wrong()
        for account in self.minutes:
            if not account.done:
                yield f"{format_minute(account.minute)} is {account.state or 'unknown'}, not merged, absent or dead"
        if self.tables.staging_rows:
            yield f"staging has {self.tables.staging_rows} rows"

    def report(self) -> dict[str, int | bool]:
        """Return the figures as the report has them."""
        states = [account.state for account in self.minutes]
        merged = states.count("merged")
        loaded = merged + states.count("loaded")
        return {
            "due": len(states),
            "landed": sum(account.lines is not None for account in self.minutes),
            "loaded": loaded,
            "merged": merged,
            "absent": states.count("absent"),
            "dead": states.count("dead"),
            "lines": sum(account.lines or 0 for account in self.minutes),
            "rejected": sum(account.rejected or 0 for account in self.minutes),
            "history_rows": sum(account.history_rows for account in self.minutes),
            "current_rows": self.tables.view_rows,
            "staging_rows": self.tables.staging_rows,
            "balanced": not any(self.mismatches()),
        }


def read_accounts(
    mesh: Mesh, feed: Feed, *, since: datetime = EVER, deep: bool = False, now: datetime | None = None
) -> FeedAccounts:
    """Read a feed's accounts; deep also checks that every id shows its newest version, which reads whole objects."""
    with bigquery_errors():
        known = [
            MinuteAccount(**dict(row.items()))
            for row in _query(mesh, "services.console/accounts_minutes.sql", feed, since, feed=("STRING", feed.name))
        ]
        [tables] = _query(mesh, "services.console/accounts_tables.sql", feed, since)
        outdated = _query(mesh, "services.console/outdated.sql", feed, since)[0]["ids"] if deep else None
    plan = mesh.plan(feed.name)
    asked = minutes_between(max(plan.first, since), plan.reached(now or datetime.now(UTC))) if plan else ()
    minutes = _with_due(known, asked)
    return FeedAccounts(tuple(minutes), TableAccounts(**dict(tables.items()), outdated=outdated))


def _query(
    mesh: Mesh, template: str, feed_definition: Feed, since: datetime, **parameters: tuple[str, str | datetime]
) -> list[Row]:
    sql = render(template, dataset=mesh.dataset, feed=feed_definition)
    return run_query(mesh.warehouse, sql, {"since": ("TIMESTAMP", since), **parameters})


def _with_due(known: list[MinuteAccount], asked: Iterable[datetime]) -> list[MinuteAccount]:
    """Add the minutes that the planner has asked for and nobody has accounted for."""
    accounts = {minute: MinuteAccount(minute, None) for minute in asked}
    accounts |= {account.minute: account for account in known}
    return [accounts[minute] for minute in sorted(accounts)]
