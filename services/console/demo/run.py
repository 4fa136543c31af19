"""Run the demo: start the mesh, plan, wreck, merge, replay, merge again, and balance the accounts."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console

from infra.local.machine import PubSub
from infra.local.mesh import LocalMesh
from infra.local.parts import SimulatorOptions
from infra.local.virustotal.client import SimulatorControl
from services.console.accounts import FeedAccounts, read_accounts
from services.console.dead_letters import DeadLetter, peek_dead_letters
from services.console.demo.show import show_accounts, show_dead_letters, show_places, show_sample, show_streams
from services.console.demo.story import disturb, script
from services.console.demo.streams import NOTIFICATION_SECONDS, StreamDay
from services.console.demo.streams import SETTINGS as STREAM_SETTINGS
from services.console.follow import bars, follow, latest_event, reached
from services.console.mesh import Mesh, local_mesh
from services.console.stream_accounts import StreamAccounts
from services.console.trigger import trigger
from services.console.up import local_stack
from shared.asking import ask
from shared.feeds.definition import Feed
from shared.minutes import last_due, minutes_between

# For each feed; emulators on a small machine take their feeds one after the other.
_TOO_LONG_SECONDS = 300.0
# Past availability + 6 hours a 404 is the source's last word.
_LONG_AGO = timedelta(hours=8)


@dataclass(frozen=True)
class DemoOptions:
    """What the command line asks for."""

    minutes: int
    feeds: str
    lines: int
    seed: int
    state: Path
    report: Path | None
    pubsub: PubSub


@dataclass(frozen=True)
class Outcome:
    """What the demo has to show at its end."""

    feeds: dict[str, FeedAccounts]
    streams: dict[str, StreamAccounts]
    dead: list[DeadLetter]

    @property
    def balanced(self) -> bool:
        """Whether everything balances."""
        accounts: list[FeedAccounts | StreamAccounts] = [*self.feeds.values(), *self.streams.values()]
        return not any(any(account.mismatches()) for account in accounts)

    def report(self, seconds: float) -> dict[str, object]:
        """Return everything as the report has it."""
        return {
            "seconds": round(seconds, 1),
            "feeds": {feed: account.report() for feed, account in self.feeds.items()},
            "streams": {stream: account.report() for stream, account in self.streams.items()},
            "dead_letters": [letter.report() for letter in self.dead],
        }


@dataclass(frozen=True)
class Day:
    """The feed minutes of the demo: what the planner publishes, and one from long ago that the source never had."""

    planned: int
    missing: datetime | None

    @classmethod
    def of(cls, minutes: int, now: datetime) -> "Day":
        """Divide the minutes; a demo of less than two has no room for a missing one."""
        long_ago = last_due(now) - _LONG_AGO
        return cls(minutes - 1, long_ago) if minutes > 1 else cls(minutes, None)

    def expected(self, now: datetime) -> list[datetime]:
        """Return the minutes that the planner will publish."""
        last = last_due(now)
        return list(minutes_between(last - timedelta(minutes=self.planned - 1), last))


def run_demo(options: DemoOptions, console: Console) -> bool:
    """Run the demo and say whether everything balances."""
    began = time.monotonic()
    _begin_report(options.report)
    day = Day.of(options.minutes, datetime.now(UTC))
    stack = local_stack(
        options.state,
        {"FEEDS": options.feeds, "PLAN_BACK": str(day.planned), **STREAM_SETTINGS},
        simulator=SimulatorOptions(seed=options.seed, lines=options.lines, notification_seconds=NOTIFICATION_SECONDS),
        on_progress=lambda _: None,
        schedules=False,
        fresh=True,
        pubsub=options.pubsub,
    )
    console.print(f"[bold]gti-mesh demo[/]: starting emulators, simulator and services in {options.state}")
    with stack as running:
        console.print(f"  running after {stack.timings['total']:.1f} s\n")
        mesh = local_mesh(running.endpoints, options.feeds)
        outcome = _play(running, mesh, day, console)
        seconds = time.monotonic() - began
        _tell(mesh, outcome, console)
        show_places(options.state, running.endpoints, console)
    _write_report(options.report, outcome.report(seconds))
    verdict = "[bold green]everything balances[/]" if outcome.balanced else "[bold red]the accounts do not balance[/]"
    console.print(f"\n{verdict} after {seconds:.0f} s")
    return outcome.balanced


def _play(running: LocalMesh, mesh: Mesh, day: Day, console: Console) -> Outcome:
    control = SimulatorControl(str(running.endpoints.virustotal_control))
    console.print("[bold]a bad day[/]")
    _say(script(control, day.expected(datetime.now(UTC)), day.missing), console)
    trigger(running.endpoints, "planner")
    feeds = mesh.settings.feed_definitions()
    minutes = {feed.name: _minutes(mesh, feed, day) for feed in feeds}
    for feed in feeds:
        if day.missing:
            ask(mesh.publisher, feed.name, [day.missing], reason="replay")
    _say(disturb(mesh.publisher, feeds[0].name, minutes[feeds[0].name][-1]), console)
    streams = StreamDay(running.endpoints, mesh)
    _say(streams.begin(), console)
    console.print()
    _bring_in(running, mesh, minutes, console)
    _replay_one(running, mesh, feeds[0], minutes[feeds[0].name][-1], console)
    delivered = streams.finish(running.check, _TOO_LONG_SECONDS)
    accounts = {feed.name: read_accounts(mesh, feed, deep=True) for feed in feeds}
    return Outcome(accounts, delivered, peek_dead_letters(mesh))


def _say(texts: list[str], console: Console) -> None:
    for text in texts:
        console.print(f"  - {text}")


def _minutes(mesh: Mesh, feed: Feed, day: Day) -> list[datetime]:
    plan = mesh.plan(feed.name)
    planned = list(minutes_between(plan.first, plan.watermark)) if plan else []
    return sorted([*planned, *([day.missing] if day.missing else [])])


def _bring_in(running: LocalMesh, mesh: Mesh, minutes: dict[str, list[datetime]], console: Console) -> None:
    """Follow every feed to loaded, merge, and follow to the end."""
    look = {feed: partial(reached, mesh, feed, wanted) for feed, wanted in minutes.items()}
    waiting = partial(follow, look, check=running.check, seconds=_TOO_LONG_SECONDS * len(look))
    with bars(console) as stages:
        waiting(until=lambda now: now.all_loaded, show=stages.show)
        trigger(running.endpoints, "merger")
        waiting(until=lambda now: now.done, show=stages.show)


def _replay_one(running: LocalMesh, mesh: Mesh, feed: Feed, minute: datetime, console: Console) -> None:
    """Ask for a merged minute once more: nothing may count twice."""
    console.print(f"\nreplaying {minute:%Y-%m-%dT%H:%MZ} of {feed.name}, and merging again")
    before = latest_event(mesh, feed.name, [minute])
    ask(mesh.publisher, feed.name, [minute], reason="replay")
    look = {feed.name: partial(reached, mesh, feed.name, [minute], before)}
    follow(look, lambda now: now.all_loaded, check=running.check, seconds=_TOO_LONG_SECONDS)
    trigger(running.endpoints, "merger")


def _tell(mesh: Mesh, outcome: Outcome, console: Console) -> None:
    show_accounts(outcome.feeds, console)
    show_streams(outcome.streams, console)
    show_dead_letters(outcome.dead, console)
    show_sample(mesh, mesh.settings.feed_definitions()[0], console)


def _begin_report(file: Path | None) -> None:
    """Make room for the report: a wrong place shows at once, and no old report passes for that of a run that fails."""
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")


def _write_report(file: Path | None, report: dict[str, object]) -> None:
    if file:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
