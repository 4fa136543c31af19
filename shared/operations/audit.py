"""`gti-mesh audit`: compare bucket, ledger, staging, history and current, minute by minute and id by id."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.api_core.exceptions import NotFound

from shared.contracts.minutes import ONE_MINUTE, format_minute
from shared.feeds.definition import Feed, known_feeds
from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors
from shared.gcp.history import history_days
from shared.operations import compare_lines
from shared.operations.accounts import EVER, FeedAccounts, MinuteAccount, read_accounts
from shared.operations.findings import Finding, about_ranges, number_of
from shared.operations.health import NEVER_LANDED_AFTER, UNSETTLED_AFTER, allowance
from shared.operations.landed_objects import compare_landed, read_landed
from shared.operations.mesh import Mesh
from shared.operations.version_tables import version_findings
from shared.warehouse.tables import history

_ONE_DAY = timedelta(days=1)
# More than clocks differ.
_SKEW = 5 * ONE_MINUTE


@dataclass(frozen=True)
class Audit:
    """What the audit of one feed found; is_on says whether the feed is switched on."""

    feed: str
    since: datetime
    accounts: FeedAccounts
    findings: tuple[Finding, ...]
    is_on: bool = True
    period: str = "minute"

    @property
    def wrong(self) -> tuple[str, ...]:
        """The mismatches, without the remedies."""
        return tuple(finding.what for finding in self.findings)

    def summary(self) -> str:
        """Return the feed's accounts in one line."""
        report = self.accounts.report()
        waiting = sum(not account.done for account in self.accounts.minutes)
        since = "" if self.since == EVER else f" since {format_minute(self.since)}"
        off = "" if self.is_on else " (switched off)"
        return (
            f"{self.feed}{off}: {report['due']} {self.period}s{since}, {report['merged']} merged, {report['absent']} "
            f"absent, {report['dead']} dead, {waiting} on their way; {report['lines']} lines, {report['history_rows']} "
            f"history rows, {report['rejected']} rejected; {number_of(self.findings)}"
        )


def audit(mesh: Mesh, since: datetime | None, *, deep: bool, now: datetime) -> Iterator[Audit]:
    """Audit every feed that is switched on, and those that are switched off and have tables."""
    for feed, is_on in audited_feeds(mesh):
        yield _audit(mesh, feed, since, deep=deep, now=now, is_on=is_on)


def audited_feeds(mesh: Mesh) -> list[tuple[Feed, bool]]:
    """Return the feeds that have accounts, and whether each is switched on."""
    on = mesh.settings.feed_definitions()
    off = [feed for name, feed in known_feeds().items() if name not in mesh.settings.feeds]
    return [*((feed, True) for feed in on), *((feed, False) for feed in off if _has_tables(mesh, feed))]


def _audit(mesh: Mesh, feed: Feed, since: datetime | None, *, deep: bool, now: datetime, is_on: bool) -> Audit:
    begin = begin_of(feed, since, oldest_kept(mesh, feed, now))
    # The bucket first: what lands meanwhile is in the ledger later, and a landing that is not yet there is young.
    landed = read_landed(mesh.bucket, feed.name, begin)
    accounts = read_accounts(mesh, feed, since=begin, deep=deep, now=now)
    known = {account.minute: account for account in accounts.minutes}
    findings = [*accounts.findings(landed.minutes), *compare_landed(feed.name, known, landed, now)]
    if deep:
        findings += compare_lines.compare_lines(mesh, feed, known, landed, now)
    findings += _overdue(mesh, feed, accounts, landed.minutes, now) if is_on else _left_behind(feed, accounts)
    findings += version_findings(mesh, feed)
    findings += _of_the_planner(mesh, feed, now)
    if not is_on:
        findings = [_when_on(feed, finding) for finding in findings]
    return Audit(feed.name, begin, accounts, tuple(dict.fromkeys(findings)), is_on, feed.period)


def begin_of(feed: Feed, since: datetime | None, oldest: datetime) -> datetime:
    """Return the first minute that is audited: of a feed of hours, the hour that `since` is in."""
    return max(feed.every().floor(since) if since else EVER, oldest)


def _overdue(
    mesh: Mesh, feed: Feed, accounts: FeedAccounts, landed: Container[datetime], now: datetime
) -> list[Finding]:
    overdue = [(one.minute, text) for one in accounts.minutes for text in _stuck(one, now, feed)]
    if overdue and (condition := mesh.condition(feed.name)):
        # Reported once, not for each of 1,440 minutes a day.
        text = f"{len(overdue)} {feed.period}s are overdue, and no package is given: {condition.reason}"
        return [Finding(text, f"have the licence put right, or take the feed out of {feed.setting}")]
    return list(about_ranges(feed.name, overdue, now, landed))


def _stuck(account: MinuteAccount, now: datetime, feed: Feed) -> Iterator[str]:
    """Yield overdue work."""
    if account.state == "dead" and account.kept_lines > account.history_lines:
        if account.at and now - account.at > UNSETTLED_AFTER:
            yield f"is dead and has {account.kept_lines - account.history_lines} lines in staging"
    elif account.done:
        return
    elif account.state in (None, "due") and now - account.minute > NEVER_LANDED_AFTER + allowance(feed.every()):
        yield "was asked for and never landed"
    elif account.at and now - account.at > UNSETTLED_AFTER:
        yield f"is {account.state} since {account.at:%Y-%m-%dT%H:%MZ} and not merged"


def _left_behind(feed: Feed, accounts: FeedAccounts) -> list[Finding]:
    """Return the unfinished work of a feed that is switched off."""
    remedy = f"add {feed.name} to {feed.setting} until it is merged"
    found = []
    if rows := accounts.tables.staging_rows:
        found.append(Finding(f"{accounts.feed} is switched off, and {rows} rows wait in its staging", remedy))
    if waiting := [account.minute for account in accounts.minutes if not account.done]:
        text = f"{accounts.feed} is switched off, and {len(waiting)} minutes are not finished, the first"
        found.append(Finding(f"{text} {format_minute(waiting[0])}", remedy))
    return found


def _of_the_planner(mesh: Mesh, feed_definition: Feed, now: datetime) -> Iterator[Finding]:
    """Yield the errors of the planner's state and of the replays' records."""
    feed = feed_definition.name
    for text in mesh.replays(feed).damaged:
        what, _, remedy = text.partition("; ")
        yield Finding(what, remedy)
    plan = mesh.plan(feed)
    if plan is None:
        return
    remedy = f"delete {mesh.bucket.uri(f'state/planner/{feed}.json')}; the planner rebuilds it from the ledger"
    if plan.watermark > now - feed_definition.every().availability + _SKEW:
        yield Finding(f"the watermark of {feed} is {format_minute(plan.watermark)}, ahead of the clock", remedy)
    first = mesh.ledger.origin(feed, EVER, now).planned
    if first and plan.first > first:
        text = (
            f"{feed} begins at {format_minute(plan.first)} by the planner, and at {format_minute(first)} by the ledger"
        )
        yield Finding(text, remedy)


def _when_on(feed: Feed, finding: Finding) -> Finding:
    """Return a finding of a feed that is switched off: its minutes are requested only while it is on."""
    if not finding.remedy.startswith("gti-mesh replay"):
        return finding
    return Finding(finding.what, f"add {feed.name} to {feed.setting}, then {finding.remedy}")


def _has_tables(mesh: Mesh, feed: Feed) -> bool:
    with bigquery_errors():
        try:
            mesh.warehouse.get_table(f"{mesh.dataset}.{history(feed).name}", retry=RETRY, timeout=SECONDS)
        except NotFound:
            return False
    return True


def oldest_kept(mesh: Mesh, feed: Feed, now: datetime) -> datetime:
    """Return the beginning of history: a partition expires when the start of its day is older than the expiry."""
    days = history_days(mesh.warehouse, mesh.dataset, feed)
    if days is None:
        return EVER
    expired = now.astimezone(UTC) - timedelta(days=days)
    return expired.replace(hour=0, minute=0, second=0, microsecond=0) + _ONE_DAY
