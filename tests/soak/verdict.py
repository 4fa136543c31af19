"""The final checks: the mesh's own accounts, and independently the source, the warehouse and SecOps."""

import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from google.cloud.bigquery import Row

from infra.local.virustotal.streams.issues import PROJECTS
from shared.contracts.minutes import format_minute
from shared.contracts.outcomes import MeshError
from shared.contracts.stored_objects import read_stored
from shared.feeds.definition import THREAT_LISTS, find_feed
from shared.gcp.bigquery import run_query
from shared.operations.accounts import MinuteAccount, read_accounts
from shared.operations.findings import Finding
from shared.operations.stream_accounts import StreamAccounts, read_landings, read_pages
from shared.operations.version_tables import read_version_tables
from shared.streams.definition import Stream
from shared.streams.issue_progress import Versions, versions_name
from tests.soak.soak_mesh import SoakMesh
from tests.soak.truth import truth
from tests.soak.updates import CHANGING, items_of, not_logged, secops_key
from tests.support.paths import REPOSITORY

_AUDIT_SECONDS = 300
# A backlog that is thrown away takes dead letters with it, whose rows stay in the ledger.
_LOST_LETTER = "of the ledger is in no subscription"
_LOST_ROW = "has no row in the ledger"
_A_SECOND = timedelta(seconds=1)
# The default of the setting.
_LISTS_LOG_TYPE = "GCP_THREATINTEL"


@dataclass
class Verdict:
    """The findings; `wrong` describes each error, with the feed and minute if there is one."""

    minutes: int = 0
    hours: int = 0
    stream_hours: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    # Of these, rows of the streams that go into BigQuery.
    stream_rows: int = 0
    minutes_lost: int = 0
    rows_lost: int = 0
    rows_twice: int = 0
    # Rows that folds have written into base.
    folded: int = 0
    notifications: int = 0
    notifications_lost: int = 0
    # Versions of alerts, issues and collections in the logs; completed sweeps of issues.
    updates: int = 0
    updates_lost: int = 0
    updates_twice: int = 0
    sweeps: int = 0
    requests: int = 0
    requests_twice: int = 0
    most_twice: int = 0
    wrong: list[str] = field(default_factory=list)
    first: tuple[str, datetime] | None = None

    @property
    def balanced(self) -> bool:
        """Whether there is no error."""
        return not self.wrong

    def blame(self, feed: str, minute: datetime, text: str) -> None:
        """Record an error of a minute."""
        self.wrong.append(f"{feed} {format_minute(minute)} {text}")
        self.first = self.first or (feed, minute)


def judge(soak_mesh: SoakMesh, most_twice: int) -> Verdict:
    """Compare everything."""
    verdict = Verdict(most_twice=most_twice)
    for feed in soak_mesh.feeds:
        _judge_feed(soak_mesh, feed, verdict)
    for stream in soak_mesh.streams:
        if stream.name in CHANGING:
            _judge_updates(soak_mesh, stream, verdict)
        else:
            _judge_notifications(soak_mesh, stream, verdict)
    if THREAT_LISTS in soak_mesh.size.feeds:
        _judge_landings(soak_mesh, verdict)
    if verdict.requests_twice > verdict.most_twice:
        verdict.wrong.append(f"SecOps got {verdict.requests_twice} requests twice, at most {verdict.most_twice} may be")
    _audit(soak_mesh, verdict)
    if keys := soak_mesh.source.stats().keys_at_download_port:
        verdict.wrong.append(f"the API key came to the redirect's host {keys} times")
    return verdict


def _judge_feed(soak_mesh: SoakMesh, feed: str, verdict: Verdict) -> None:
    accounts = read_accounts(soak_mesh.mesh_view, find_feed(feed), deep=True)
    verdict.folded += read_version_tables(soak_mesh.mesh_view, find_feed(feed)).base_rows
    verdict.wrong += [f"{feed} {text}" for text in accounts.mismatches()]
    known = {account.minute: account for account in accounts.minutes}
    endings = {oddity.minute: oddity.ending for oddity in soak_mesh.oddities if oddity.feed == feed}
    history = _history(soak_mesh, feed)
    period, of_stream = find_feed(feed).every(), feed in soak_mesh.size.to_bigquery
    for minute in period.between(*soak_mesh.span(feed)):
        verdict.minutes += period.name == "minute"
        verdict.hours += feed == THREAT_LISTS
        verdict.stream_hours += of_stream
        account = known.get(minute, MinuteAccount(minute, None))
        wanted = endings.get(minute, "merged")
        verdict.endings[str(account.state)] += 1
        if account.state != wanted:
            verdict.minutes_lost += 1
            verdict.blame(feed, minute, f"is {account.state} ({account.reason}) and should be {wanted}")
        _judge_rows(soak_mesh, feed, minute, history.get(minute, []), verdict, wanted)
    if lost := soak_mesh.served.get(feed, set()) - {str(row["id"]) for rows in history.values() for row in rows}:
        verdict.rows_lost += len(lost)
        verdict.wrong.append(f"{feed}: {len(lost)} items of past hours are not in history, among them {min(lost)}")


def _history(soak_mesh: SoakMesh, feed: str) -> dict[datetime, list[Row]]:
    sql = f"SELECT feed_minute, feed_line, id FROM `{soak_mesh.mesh_view.dataset}.{feed}_history`"  # noqa: S608
    kept = defaultdict(list)
    for row in run_query(soak_mesh.mesh_view.warehouse, sql):
        kept[row["feed_minute"]].append(row)
    return kept


def _judge_rows(
    soak_mesh: SoakMesh, feed: str, minute: datetime, kept: list[Row], verdict: Verdict, ending: str
) -> None:
    """Compare a minute's rows with the source: with all of its present lines, or with its lines without faults.

    A restarted source serves good packages until its faults are set again, so a minute may have landed from one.
    """
    rows = {int(row["feed_line"]): str(row["id"]) for row in kept}
    verdict.rows += len(kept)
    verdict.stream_rows += len(kept) if feed in soak_mesh.size.to_bigquery else 0
    verdict.rows_twice += (twice := len(kept) - len(rows))
    if twice:
        verdict.blame(feed, minute, f"has {twice} rows twice")
    truths = [truth(soak_mesh, feed, minute, faultless=faultless) for faultless in (False, True)]
    if ending == "merged" and rows not in truths:
        verdict.rows_lost += max(1, len(truths[0].keys() - rows.keys()))
        verdict.blame(feed, minute, f"has other rows than the source: {len(rows)} of {len(truths[0])}")
    if ending != "merged" and rows:
        verdict.blame(feed, minute, f"is {ending} and has {len(rows)} rows")


def _judge_stream(soak_mesh: SoakMesh, stream: Stream, verdict: Verdict) -> StreamAccounts:
    """Compare a stream's log, page by page, with SecOps."""
    pages = read_pages(soak_mesh.mesh_view.bucket, stream)
    figures = soak_mesh.secops.stats().log_type(stream.log_type)
    accounts = StreamAccounts(pages, returning=bool(stream.unversioned), accepted=figures.distinct)
    verdict.wrong += [f"{stream.name}: {text}" for text in accounts.mismatches()]
    verdict.requests += figures.accepted
    verdict.requests_twice += figures.repeated_bodies
    if dead := sum(page.delivery.dead for page in pages):
        verdict.wrong.append(f"{stream.name}: {dead} notifications are given up")
    return accounts


def _judge_notifications(soak_mesh: SoakMesh, stream: Stream, verdict: Verdict) -> None:
    _judge_stream(soak_mesh, stream, verdict)
    accepted = soak_mesh.secops.keys(stream.log_type)
    # The source's dates are whole seconds, and the first poll has seen what was there before the beginning.
    there = soak_mesh.lists.ids(soak_mesh.began, soak_mesh.polled - _A_SECOND)
    verdict.notifications = len(accepted)
    verdict.notifications_lost = len(there - accepted)
    if lost := there - accepted:
        verdict.wrong.append(f"{len(lost)} notifications are not in SecOps, among them {sorted(lost)[0]}")


def _judge_updates(soak_mesh: SoakMesh, stream: Stream, verdict: Verdict) -> None:
    """Compare a log with what the source showed before the last counted poll, and SecOps with the log."""
    accounts, bucket = _judge_stream(soak_mesh, stream, verdict), soak_mesh.mesh_view.bucket
    left = not_logged(bucket, stream.name, soak_mesh.shown[stream.name])
    logged = set(map(secops_key, items_of(bucket, stream.name)))
    missing = logged - soak_mesh.secops.keys(stream.log_type)
    verdict.updates += len(accounts.keys)
    verdict.updates_lost += len(left) + len(missing)
    verdict.updates_twice += accounts.repeated
    if left:
        verdict.wrong.append(f"{stream.name}: {len(left)} items are not in the log as they are, among them {left[0]}")
    if missing:
        verdict.wrong.append(f"{stream.name}: {len(missing)} versions of the log are not in SecOps")
    if stream.listing == "windows":
        _judge_sweeps(soak_mesh, stream, verdict)


def _judge_sweeps(soak_mesh: SoakMesh, stream: Stream, verdict: Verdict) -> None:
    stored, _ = read_stored(soak_mesh.mesh_view.bucket, versions_name(stream.name), Versions, remedy="delete it")
    sweeps = stored.sweeps if stored else {}
    verdict.sweeps += sum(sweeps.values())
    if unswept := PROJECTS.keys() - sweeps.keys():
        verdict.wrong.append(f"{stream.name}: no sweep has read all issues of project {min(unswept)}")


def _judge_landings(soak_mesh: SoakMesh, verdict: Verdict) -> None:
    """Compare the landed hours with SecOps: a log that was refused alone has a dead letter, all others are there."""
    hours = read_landings(soak_mesh.mesh_view.bucket, THREAT_LISTS)
    figures, accepted = soak_mesh.secops.stats().log_type(_LISTS_LOG_TYPE), soak_mesh.secops.keys(_LISTS_LOG_TYPE)
    accounts = StreamAccounts(hours, accepted=figures.distinct)
    verdict.wrong += list(accounts.mismatches())
    verdict.requests += figures.accepted
    verdict.requests_twice += figures.repeated_bodies
    lost = set(accounts.keys) - accepted
    if len(lost) > sum(hour.delivery.dead for hour in hours):
        verdict.wrong.append(f"{len(lost)} elements of threat lists are not in SecOps, among them {min(lost)}")


def _audit(soak_mesh: SoakMesh, verdict: Verdict) -> None:
    """Run the operator's own command."""
    known = (_LOST_LETTER, _LOST_ROW) if soak_mesh.ledger_restored else (_LOST_LETTER,)
    wrong = [found for found in audit_by_command(soak_mesh) if not any(text in found.what for text in known)]
    verdict.wrong += [f"gti-mesh audit: {found.what}" for found in wrong]


def audit_by_command(soak_mesh: SoakMesh) -> list[Finding]:
    """Return what `gti-mesh audit --deep` prints: statements, each with its remedy indented below it."""
    done = run_command(soak_mesh, "audit", "--deep")
    lines = [line for line in done.stdout.splitlines() if line.startswith("  ")]
    found = [Finding(what.strip(), remedy.strip()) for what, remedy in zip(lines[::2], lines[1::2], strict=True)]
    if bool(found) != bool(done.returncode):
        raise MeshError(f"gti-mesh audit exits with {done.returncode}: {done.stdout.strip()} {done.stderr.strip()}")
    return found


def run_command(soak_mesh: SoakMesh, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `gti-mesh` on the soak's mesh."""
    command = [str(Path(sys.executable).with_name("gti-mesh")), *arguments, "--state", str(soak_mesh.state.path)]
    return subprocess.run(  # noqa: S603
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=_AUDIT_SECONDS, check=False
    )
