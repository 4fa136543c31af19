"""`gti-mesh audit`: compare package lines, rejects, staging, history and ledger, minute by minute."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.console.accounts import EVER, FeedAccounts, MinuteAccount, read_accounts
from services.console.mesh import Mesh
from shared.feeds.definition import Feed
from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors
from shared.minutes import AVAILABILITY, format_minute
from shared.warehouse.tables import history

# A landing waits minutes for its load, and a load half an hour for its merge; most outages end within hours.
_SETTLED = timedelta(hours=3)
# Until then a 404 may still turn into an absence, six hours past availability.
_KNOWN = AVAILABILITY + timedelta(hours=7)
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Audit:
    """What the audit of one feed found."""

    feed: str
    since: datetime
    accounts: FeedAccounts
    wrong: tuple[str, ...]

    def summary(self) -> str:
        """Return the feed's accounts in one line."""
        report = self.accounts.report()
        waiting = sum(not account.done for account in self.accounts.minutes)
        since = "" if self.since == EVER else f" since {format_minute(self.since)}"
        return (
            f"{self.feed}: {report['due']} minutes{since}, {report['merged']} merged, {report['absent']} absent, "
            f"{report['dead']} dead, {waiting} on their way; {report['lines']} lines, {report['history_rows']} history "
            f"rows, {report['rejected']} rejected; {len(self.wrong) or 'no'} mismatch{'es' if self.wrong else ''}"
        )


def audit(mesh: Mesh, since: datetime | None, *, deep: bool, now: datetime) -> Iterator[Audit]:
    """Audit every feed that is switched on."""
    for feed in mesh.settings.feed_definitions():
        begin = max(since or EVER, _oldest_kept(mesh, feed, now))
        accounts = read_accounts(mesh, feed, since=begin, deep=deep, now=now)
        wrong = (*accounts.wrong(), *(text for account in accounts.minutes for text in _overdue(account, now)))
        yield Audit(feed.name, begin, accounts, wrong)


def _overdue(account: MinuteAccount, now: datetime) -> Iterator[str]:
    """Yield what is still to come and should have come by now."""
    if account.done:
        return
    if account.state is None and now - account.minute > _KNOWN:
        yield f"{format_minute(account.minute)} was asked for and never landed"
    elif account.at and now - account.at > _SETTLED:
        yield f"{format_minute(account.minute)} is {account.state} since {account.at:%Y-%m-%dT%H:%MZ} and not merged"


def _oldest_kept(mesh: Mesh, feed: Feed, now: datetime) -> datetime:
    """Return where history begins: a day's partition is gone when its beginning is older than the expiry."""
    with bigquery_errors():
        table = mesh.warehouse.get_table(f"{mesh.dataset}.{history(feed).name}", retry=RETRY, timeout=SECONDS)
    if not table.time_partitioning or not table.time_partitioning.expiration_ms:
        return EVER
    expired = now.astimezone(UTC) - timedelta(milliseconds=table.time_partitioning.expiration_ms)
    return expired.replace(hour=0, minute=0, second=0, microsecond=0) + _ONE_DAY
