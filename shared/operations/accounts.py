"""The accounts of a feed: every due minute is accounted for, and every line of a package is in history or rejected.

Invariants at any time: lines = history rows + rejected for a merged minute, lines = rows in history or staging +
rejected for a loaded one, no line twice in history, the ledger's count equal to history's, one current row per id.
Balanced, once all work is done: every due minute is merged, absent or dead, and staging is empty.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from google.cloud.bigquery import Row

from shared.contracts.minutes import format_minute, utc_now
from shared.feeds.definition import Feed
from shared.gcp.bigquery import Parameters, run_query
from shared.operations.findings import Finding, about
from shared.operations.mesh import Mesh
from shared.warehouse.rendering import render

EVER = datetime(1970, 1, 1, tzinfo=UTC)
DEEP = ("outdated.sql", "changed_columns.sql")
# A week of five feeds takes longer than a request may.
AUDIT_SECONDS = 1800.0
_DONE = ("merged", "absent", "dead")


@dataclass(frozen=True)
class MinuteAccount:
    """One minute: its ledger entry and its rows in the tables.

    state None means that the ledger does not have it, and `due` that it knows only of the request. line_numbers is the
    sum of those in history.
    """

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
    line_numbers: int | None = None
    uri: str | None = None
    job_id: str | None = None
    crc32c: str | None = None

    @property
    def known_as(self) -> str:
        """The state in words."""
        return "unknown" if self.state in (None, "due") else str(self.state)

    @property
    def done(self) -> bool:
        """Whether the minute has reached a final state."""
        return self.state in _DONE

    def mismatch(self) -> str | None:
        """Return the mismatch, or None; a minute that is still being processed may lack lines."""
        if self.history_rows != self.history_lines:
            return f"has {self.history_rows} history rows for {self.history_lines} lines"
        if self.state == "merged":
            return self._merged_mismatch()
        if self.history_rows:
            return f"is {self.state or 'unknown to the ledger'} and has {self.history_rows} history rows"
        if self.state == "loaded" and self.lines != self.kept_lines + (self.rejected or 0):
            return f"has {self.lines} lines, {self.kept_lines} in staging and {self.rejected or 0} rejected"
        if self.state in (None, "due", "absent") and self.kept_lines:
            return f"is {self.state or 'unknown to the ledger'} and has {self.kept_lines} lines in staging"
        return None

    def _merged_mismatch(self) -> str | None:
        if self.lines != self.history_rows + (self.rejected or 0):
            return f"has {self.lines} lines, {self.history_rows} history rows and {self.rejected or 0} rejected"
        if self.merged_rows != self.history_rows:
            return f"has {self.history_rows} history rows, and {self.merged_rows} by the ledger"
        if not self.rejected and self.line_numbers not in (None, _sum_to(self.history_rows)):
            return f"has other line numbers in history than 1 to {self.history_rows}"
        return None

    def finding(self, feed: str, *, landed: bool) -> Finding | None:
        """Return the mismatch with its remedy; landed says whether the bucket has the minute's manifest."""
        mismatch = self.mismatch()
        if mismatch is None:
            return None
        return about(feed, self.minute, mismatch, *(("--replace",) if self._has_wrong_rows(landed) else ()))

    def _has_wrong_rows(self, landed: bool) -> bool:
        """Return whether rows must be deleted; a replay adds missing ones, and makes the ledger count again."""
        if self.history_rows != self.history_lines:
            return True
        if self.state != "merged":
            return bool(self.history_rows) and not landed
        expected = (self.lines or 0) - (self.rejected or 0)
        renumbered = not self.rejected and self.line_numbers not in (None, _sum_to(self.history_rows))
        return self.lines is not None and (
            self.history_rows > expected or (self.history_rows == expected and renumbered)
        )


def _sum_to(count: int) -> int:
    return count * (count + 1) // 2


_ID_TEXTS = {
    "lost": "is in history and has no current row",
    "unseen": "has a current row of an observation that history does not have",
    "several": "has several current rows",
    "outdated": "does not show its newest version",
    "changed": "has other columns in current than in its object",
}


@dataclass(frozen=True)
class IdMismatch:
    """An id that current does not show as history has it; found is the number of ids with the same mismatch."""

    kind: str
    id: str
    minute: datetime
    found: int

    def finding(self, feed: str) -> Finding:
        """Return the mismatch with its remedy, which recomputes the current rows of the minute's ids."""
        others = f" (and so on: {self.found} ids)" if self.found > 1 else ""
        text = f"id {self.id} {_ID_TEXTS[self.kind]}{others}"
        return about(feed, self.minute, text, "--replace")


@dataclass(frozen=True)
class TableAccounts:
    """A feed's table counts, and the ids that current does not show as history has them."""

    staging_rows: int
    current_rows: int
    ids: tuple[IdMismatch, ...] = ()


@dataclass(frozen=True)
class FeedAccounts:
    """All minutes of a feed, and its tables."""

    feed: str
    minutes: tuple[MinuteAccount, ...]
    tables: TableAccounts

    def findings(self, landed: Container[datetime] = ()) -> Iterator[Finding]:
        """Yield all mismatches; landed has the minutes with a manifest in the bucket."""
        for account in self.minutes:
            if found := account.finding(self.feed, landed=account.minute in landed):
                yield found
        for one in self.tables.ids:
            yield one.finding(self.feed)

    def mismatches(self) -> Iterator[str]:
        """Yield everything that is not balanced, one line each: mismatches and unfinished work."""
        for found in self.findings():
            yield found.what
        for account in self.minutes:
            if not account.done:
                yield f"{format_minute(account.minute)} is {account.state or 'unknown'}, not merged, absent or dead"
        if self.tables.staging_rows:
            yield f"staging has {self.tables.staging_rows} rows"

    def report(self) -> dict[str, int | bool]:
        """Return the figures for the JSON report."""
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
            "current_rows": self.tables.current_rows,
            "staging_rows": self.tables.staging_rows,
            "balanced": not any(self.mismatches()),
        }


def read_accounts(
    mesh: Mesh, feed: Feed, *, since: datetime = EVER, deep: bool = False, now: datetime | None = None
) -> FeedAccounts:
    """Read a feed's accounts; deep also compares current with the objects in history, which reads all of them."""
    known = [MinuteAccount(**dict(row.items())) for row in _query(mesh, "accounts_minutes.sql", feed, since)]
    [tables] = _query(mesh, "accounts_tables.sql", feed, since)
    files = ("accounts_current.sql", *(DEEP if deep else ()))
    ids = [IdMismatch(**dict(row.items())) for file in files for row in _query(mesh, file, feed, since)]
    plan = mesh.plan(feed.name)
    every = feed.every()
    planned = every.between(plan.first, plan.reached(now or utc_now(), every)) if plan else ()
    asked = (minute for minute in (*planned, *mesh.replays(feed.name).minutes()) if minute >= since)
    minutes = _with_due(known, asked)
    return FeedAccounts(feed.name, tuple(minutes), TableAccounts(**dict(tables.items()), ids=tuple(ids)))


def statements(mesh: Mesh, feed: Feed, *, deep: bool) -> Iterator[str]:
    """Yield the queries of read_accounts(), each with the parameters of bounds()."""
    plain = ("accounts_minutes.sql", "accounts_tables.sql", "accounts_current.sql")
    for file in (*plain, *(DEEP if deep else ())):
        yield render(f"shared.operations/{file}", dataset=mesh.dataset, feed=feed)


def bounds(feed: Feed, since: datetime) -> Parameters:
    """Return the parameters of the queries."""
    return {"since": since, "feed": feed.name}


def _query(mesh: Mesh, file: str, feed: Feed, since: datetime) -> list[Row]:
    sql = render(f"shared.operations/{file}", dataset=mesh.dataset, feed=feed)
    return run_query(mesh.warehouse, sql, bounds(feed, since), seconds=AUDIT_SECONDS)


def _with_due(known: list[MinuteAccount], asked: Iterable[datetime]) -> list[MinuteAccount]:
    """Add the minutes that were requested, by the planner or a replay, and that have no ledger entry."""
    accounts = {minute: MinuteAccount(minute, None) for minute in asked}
    accounts |= {account.minute: account for account in known}
    return [accounts[minute] for minute in sorted(accounts)]
