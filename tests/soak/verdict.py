"""What must hold at the end: the mesh's own accounts, and beside them the source, the warehouse and SecOps."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from google.cloud.bigquery import Row

from services.console.accounts import MinuteAccount, read_accounts
from services.console.stream_accounts import StreamAccounts, read_pages
from shared.feeds.definition import find_feed
from shared.gcp.bigquery import run_query
from shared.minutes import format_minute, minutes_between
from tests.soak.ending import STREAM
from tests.soak.world import REPOSITORY, World

_AUDIT_SECONDS = 300
_A_SECOND = timedelta(seconds=1)
Lines = dict[int, str]


@dataclass
class Verdict:
    """What was found; wrong says in words what must not be, with the feed and minute where there is one."""

    minutes: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    minutes_lost: int = 0
    rows_lost: int = 0
    rows_twice: int = 0
    notifications: int = 0
    notifications_lost: int = 0
    requests: int = 0
    requests_twice: int = 0
    most_twice: int = 0
    wrong: list[str] = field(default_factory=list)
    first: tuple[str, datetime] | None = None

    @property
    def balanced(self) -> bool:
        """Whether everything is as it must be."""
        return not self.wrong

    def blame(self, feed: str, minute: datetime, text: str) -> None:
        """Note what is wrong with a minute."""
        self.wrong.append(f"{feed} {format_minute(minute)} {text}")
        self.first = self.first or (feed, minute)


def judge(world: World, most_twice: int) -> Verdict:
    """Compare everything with everything."""
    verdict = Verdict(most_twice=most_twice)
    for feed in world.size.feeds:
        _judge_feed(world, feed, verdict)
    _judge_stream(world, verdict)
    _audit(world, verdict)
    if keys := world.source.stats().keys_at_download_port:
        verdict.wrong.append(f"the API key came to the redirect's host {keys} times")
    return verdict


def _judge_feed(world: World, feed: str, verdict: Verdict) -> None:
    accounts = read_accounts(world.console, find_feed(feed), deep=True)
    verdict.wrong += [f"{feed} {text}" for text in accounts.mismatches()]
    known = {account.minute: account for account in accounts.minutes}
    endings = {oddity.minute: oddity.ending for oddity in world.oddities if oddity.feed == feed}
    history = _history(world, feed)
    for minute in minutes_between(world.first, world.last):
        verdict.minutes += 1
        account = known.get(minute, MinuteAccount(minute, None))
        wanted = endings.get(minute, "merged")
        verdict.endings[str(account.state)] += 1
        if account.state != wanted:
            verdict.minutes_lost += 1
            verdict.blame(feed, minute, f"is {account.state} ({account.reason}) and should be {wanted}")
        _judge_rows(world, feed, minute, history.get(minute, []), verdict, wanted)


def _history(world: World, feed: str) -> dict[datetime, list[Row]]:
    sql = f"SELECT feed_minute, feed_line, id FROM `{world.console.dataset}.{feed}_history`"  # noqa: S608
    kept = defaultdict(list)
    for row in run_query(world.console.warehouse, sql):
        kept[row["feed_minute"]].append(row)
    return kept


def _judge_rows(world: World, feed: str, minute: datetime, kept: list[Row], verdict: Verdict, ending: str) -> None:
    """Hold a minute's rows to the source: all of what it gives for this minute, or of what it gave on a good day.

    A source that was started again gives good packages until it is told otherwise, so a minute may have landed so.
    """
    rows = {int(row["feed_line"]): str(row["id"]) for row in kept}
    verdict.rows += len(kept)
    verdict.rows_twice += (twice := len(kept) - len(rows))
    if twice:
        verdict.blame(feed, minute, f"has {twice} rows twice")
    truths = [_truth(world, feed, minute, faultless=faultless) for faultless in (False, True)]
    if ending == "merged" and rows not in truths:
        verdict.rows_lost += max(1, len(truths[0].keys() - rows.keys()))
        verdict.blame(feed, minute, f"has other rows than the source: {len(rows)} of {len(truths[0])}")
    if ending != "merged" and rows:
        verdict.blame(feed, minute, f"is {ending} and has {len(rows)} rows")


def _truth(world: World, feed: str, minute: datetime, *, faultless: bool) -> Lines:
    text = world.source.truth(feed, minute, faultless=faultless)
    return dict(_good_lines(text))


def _good_lines(text: bytes) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split(b"\n"), 1):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("id"), str):
            yield number, value["id"]


def _judge_stream(world: World, verdict: Verdict) -> None:
    pages = read_pages(world.console.bucket, STREAM)
    accepted = world.secops.keys(STREAM.log_type)
    figures = world.secops.stats().log_type(STREAM.log_type)
    verdict.wrong += list(StreamAccounts(pages, accepted=figures.distinct).mismatches())
    # The source's dates are whole seconds, and the first poll has seen what was there before the beginning.
    there = world.lists.ids(world.began, world.polled - _A_SECOND)
    verdict.notifications = figures.distinct
    verdict.notifications_lost = len(there - accepted)
    verdict.requests, verdict.requests_twice = figures.accepted, figures.repeated_bodies
    if lost := there - accepted:
        verdict.wrong.append(f"{len(lost)} notifications are not in SecOps, among them {sorted(lost)[0]}")
    if dead := sum(page.delivery.dead for page in pages):
        verdict.wrong.append(f"{dead} notifications are given up")
    if figures.repeated_bodies > verdict.most_twice:
        verdict.wrong.append(
            f"SecOps got {figures.repeated_bodies} requests twice, at most {verdict.most_twice} may be"
        )


def _audit(world: World, verdict: Verdict) -> None:
    """Run the operator's own command."""
    command = [str(Path(sys.executable).with_name("gti-mesh")), "audit", "--deep", "--state", str(world.state.path)]
    done = subprocess.run(  # noqa: S603
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=_AUDIT_SECONDS, check=False
    )
    if done.returncode:
        verdict.wrong.append(f"gti-mesh audit: {done.stdout.strip()} {done.stderr.strip()}")
