"""The accounts of a feed: is every due minute somewhere, and is every line of a package in history or a reject.

balanced: due = merged + absent + dead; lines = history rows + rejected, minute by minute; view rows = distinct ids;
staging empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from google.cloud.bigquery import Row

from services.console.mesh import Mesh, Plan
from shared.feeds.definition import Feed
from shared.gcp.bigquery import bigquery_errors, run_query
from shared.minutes import format_minute, minutes_between
from shared.warehouse.rendering import render

_DONE = ("merged", "absent", "dead")


@dataclass(frozen=True)
class MinuteAccount:
    """One minute: what the ledger says of it and how many rows history has; state None is a minute nobody knows."""

    minute: datetime
    state: str | None
    lines: int | None = None
    rejected: int | None = None
    reason: str | None = None
    history_rows: int = 0

    def mismatch(self) -> str | None:
        """Return what does not balance, or None."""
        if self.state not in _DONE:
            return f"is {self.state or 'unknown'}, not merged, absent or dead"
        if self.state != "merged":
            return f"is {self.state} and has {self.history_rows} rows" if self.history_rows else None
        accounted = self.history_rows + (self.rejected or 0)
        if self.lines != accounted:
            return f"has {self.lines} lines, {self.history_rows} history rows and {self.rejected} rejected"
        return None


@dataclass(frozen=True)
class FeedAccounts:
    """All minutes of a feed and the sizes of its tables; outdated is None where it was not looked at."""

    minutes: tuple[MinuteAccount, ...]
    staging_rows: int
    view_rows: int
    ids: int
    outdated: int | None = None

    def mismatches(self) -> Iterator[str]:
        """Yield everything that does not balance, in a line each."""
        for account in self.minutes:
            if wrong := account.mismatch():
                yield f"{format_minute(account.minute)} {wrong}"
        if self.staging_rows:
            yield f"staging has {self.staging_rows} rows"
        if self.view_rows != self.ids:
            yield f"the view has {self.view_rows} rows for {self.ids} ids"
        if self.outdated:
            yield f"{self.outdated} ids do not show their newest version"

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
            "current_rows": self.view_rows,
            "staging_rows": self.staging_rows,
            "balanced": not any(self.mismatches()),
        }


def read_accounts(mesh: Mesh, feed: Feed, *, deep: bool = False) -> FeedAccounts:
    """Read a feed's accounts; deep also checks that every id shows its newest version, which reads all of history."""
    with bigquery_errors():
        known = [
            MinuteAccount(**dict(row.items()))
            for row in _query(mesh, "services.console/accounts_minutes.sql", feed, feed=("STRING", feed.name))
        ]
        [tables] = _query(mesh, "services.console/accounts_tables.sql", feed)
        outdated = _query(mesh, "services.console/outdated.sql", feed)[0]["ids"] if deep else None
    return FeedAccounts(
        minutes=tuple(_with_due(known, mesh.plan(feed.name))),
        staging_rows=tables["staging_rows"],
        view_rows=tables["view_rows"],
        ids=tables["ids"],
        outdated=outdated,
    )


def _query(mesh: Mesh, template: str, feed_definition: Feed, **parameters: tuple[str, str | datetime]) -> list[Row]:
    sql = render(template, dataset=mesh.dataset, feed=feed_definition)
    return run_query(mesh.warehouse, sql, parameters)


def _with_due(known: list[MinuteAccount], plan: Plan | None) -> list[MinuteAccount]:
    """Add the minutes that the planner has asked for and nobody has accounted for."""
    accounts = {account.minute: account for account in known}
    for minute in minutes_between(plan.first, plan.watermark) if plan else ():
        accounts.setdefault(minute, MinuteAccount(minute, None))
    return [accounts[minute] for minute in sorted(accounts)]
