"""Run the demo: start the mesh, plan, inject failures, merge, replay, merge again, and balance the accounts."""

import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console

from infra.find_mesh import local_mesh, point_at
from infra.local.contents import Contents, Source
from infra.local.demo.show import show_accounts, show_dead_letters, show_places, show_sample, show_streams
from infra.local.demo.story import disturb, script
from infra.local.demo.streams import NOTIFICATION_SECONDS, PollAsOf, StreamDay, stream_settings
from infra.local.mesh import LocalMesh
from infra.local.next_steps import print_next_steps
from infra.local.prerequisites import PubSub
from infra.local.process_specs import SimulatorOptions
from infra.local.up import provision_feeds
from infra.local.virustotal.client import SimulatorControl
from infra.topology import read_topology
from infra.trigger import trigger
from shared.contracts.minute_requests import ask
from shared.contracts.minutes import last_due, minutes_between, utc_now
from shared.feeds.definition import Feed
from shared.operations.accounts import FeedAccounts, read_accounts
from shared.operations.dead_letter_mailbox import peek_dead_letters
from shared.operations.dead_letters import DeadLetter
from shared.operations.follow import bars, follow, latest_event, reached
from shared.operations.mesh import Mesh
from shared.operations.stream_accounts import StreamAccounts
from shared.runtime.terminal import line

# Per feed; on a small machine the emulators process feeds one after another.
_TOO_LONG_SECONDS = 300.0
# After availability + 6 hours a 404 means absent.
_LONG_AGO = timedelta(hours=8)


@dataclass(frozen=True)
class DemoOptions:
    """The options of the command line."""

    minutes: int
    feeds: str
    streams: str
    streams_to_bigquery: str
    poll_as_of: PollAsOf
    lines: int
    seed: int
    state: Path
    report: Path | None
    pubsub: PubSub


@dataclass(frozen=True)
class Outcome:
    """The results of the demo."""

    feeds: dict[str, FeedAccounts]
    streams: dict[str, StreamAccounts]
    dead: list[DeadLetter]

    @property
    def balanced(self) -> bool:
        """Whether everything balances."""
        accounts: list[FeedAccounts | StreamAccounts] = [*self.feeds.values(), *self.streams.values()]
        return not any(any(account.mismatches()) for account in accounts)

    def report(self, seconds: float) -> dict[str, object]:
        """Return everything for the JSON report."""
        return {
            "seconds": round(seconds, 1),
            "feeds": {feed: account.report() for feed, account in self.feeds.items()},
            "streams": {stream: account.report() for stream, account in self.streams.items()},
            "dead_letters": [letter.report() for letter in self.dead],
        }


@dataclass(frozen=True)
class Day:
    """The feed minutes of the demo: those that the planner publishes, and an old one that the source never had."""

    planned: int
    missing: datetime | None

    @classmethod
    def of(cls, minutes: int, now: datetime) -> "Day":
        """Divide the minutes; a demo with fewer than two has no missing one."""
        long_ago = last_due(now) - _LONG_AGO
        return cls(minutes - 1, long_ago) if minutes > 1 else cls(minutes, None)

    def expected(self, now: datetime) -> list[datetime]:
        """Return the minutes that the planner will publish."""
        last = last_due(now)
        return list(minutes_between(last - timedelta(minutes=self.planned - 1), last))


def run_demo(options: DemoOptions, console: Console) -> bool:
    """Run the demo; return whether everything balances."""
    began = time.monotonic()
    _begin_report(options.report)
    day = Day.of(options.minutes, utc_now())
    streams = stream_settings(options.feeds, options.streams.split(","), _names(options.streams_to_bigquery))
    console.print(line(f"gti-mesh demo: starting emulators, simulator and services in {options.state}", "bold"))
    with _stack(options, day, streams) as running:
        pubsub = running.running_pubsub.description
        console.print(f"  running after {running.timings['total']:.1f} s; Pub/Sub is {pubsub}\n")
        point_at(streams)
        with closing(local_mesh(running.endpoints, options.feeds)) as mesh:
            outcome = _play(running, mesh, day, options.poll_as_of, console)
            seconds = time.monotonic() - began
            _show_results(mesh, outcome, console)
        show_places(options.state, running.endpoints, console)
    _write_report(options.report, outcome.report(seconds))
    verdict = "everything balances" if outcome.balanced else "the accounts do not balance"
    console.print()
    console.print(line(f"{verdict} after {seconds:.0f} s", "bold green" if outcome.balanced else "bold red"))
    print_next_steps(console)
    return outcome.balanced


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _stack(options: DemoOptions, day: Day, streams: Mapping[str, str]) -> LocalMesh:
    source = Source(seed=options.seed, lines=options.lines)
    return LocalMesh(
        state=options.state,
        topology=read_topology(profile="local"),
        settings={"LOG_FORMAT": "text", "FEEDS": options.feeds, "PLAN_BACK": str(day.planned), **streams},
        simulator=SimulatorOptions(seed=options.seed, lines=options.lines, notification_seconds=NOTIFICATION_SECONDS),
        schedules=False,
        fresh=True,
        pubsub=options.pubsub,
        contents=Contents(source=source, feeds=tuple(options.feeds.split(",")), kept=False),
        provision=lambda endpoints: provision_feeds(endpoints, options.feeds, say=lambda _: None),
    )


def _play(running: LocalMesh, mesh: Mesh, day: Day, poll_as_of: PollAsOf, console: Console) -> Outcome:
    control = SimulatorControl(str(running.endpoints.virustotal_control))
    console.print(line("a bad day", "bold"))
    streams = StreamDay(running.endpoints, mesh, running.endpoints.streams["STREAMS"].split(","))
    _say(streams.prepare(poll_as_of), console)
    _say(script(control, day.expected(utc_now()), day.missing), console)
    trigger(running.endpoints, "planner")
    feeds = mesh.settings.feed_definitions()
    minutes = {feed.name: _minutes(mesh, feed, day) for feed in feeds}
    for feed in feeds:
        if day.missing and feed.period == "minute":
            ask(mesh.publisher, feed.name, [day.missing], reason="replay")
    _say(disturb(mesh.publisher, feeds[0].name, minutes[feeds[0].name][-1]), console)
    _say(streams.begin(), console)
    console.print()
    _bring_in(running, mesh, minutes, console)
    _replay_one(running, mesh, feeds[0], minutes[feeds[0].name][-1], console)
    delivered = streams.finish(running.check, _TOO_LONG_SECONDS)
    accounts = {feed.name: read_accounts(mesh, feed, deep=True) for feed in feeds}
    return Outcome(accounts, delivered, peek_dead_letters(mesh))


def _say(texts: list[str], console: Console) -> None:
    for text in texts:
        console.print(line(f"  - {text}"))


def _minutes(mesh: Mesh, feed: Feed, day: Day) -> list[datetime]:
    plan = mesh.plan(feed.name)
    planned = list(feed.every().between(plan.first, plan.watermark)) if plan else []
    return sorted([*planned, *([day.missing] if day.missing and feed.period == "minute" else [])])


def _bring_in(running: LocalMesh, mesh: Mesh, minutes: dict[str, list[datetime]], console: Console) -> None:
    """Follow every feed to loaded, merge, and follow to the end."""
    look = {feed: partial(reached, mesh, feed, wanted) for feed, wanted in minutes.items()}
    waiting = partial(follow, look, check=running.check, seconds=_TOO_LONG_SECONDS * len(look))
    with bars(console) as stages:
        waiting(until=lambda now: now.all_loaded, show=stages.show)
        trigger(running.endpoints, "merger")
        waiting(until=lambda now: now.done, show=stages.show)


def _replay_one(running: LocalMesh, mesh: Mesh, feed: Feed, minute: datetime, console: Console) -> None:
    """Request a merged minute again: nothing may be counted twice."""
    console.print(f"\nreplaying {minute:%Y-%m-%dT%H:%MZ} of {feed.name}, and merging again")
    before = latest_event(mesh, feed.name, [minute])
    ask(mesh.publisher, feed.name, [minute], reason="replay")
    look = {feed.name: partial(reached, mesh, feed.name, [minute], before)}
    follow(look, lambda now: now.all_loaded, check=running.check, seconds=_TOO_LONG_SECONDS)
    trigger(running.endpoints, "merger")


def _show_results(mesh: Mesh, outcome: Outcome, console: Console) -> None:
    show_accounts(outcome.feeds, console)
    show_streams(outcome.streams, console)
    show_dead_letters(outcome.dead, console)
    show_sample(mesh, mesh.settings.feed_definitions()[0], console)


def _begin_report(file: Path | None) -> None:
    """Create the report file early: a wrong path fails at once, and an old report cannot be mistaken for a new one."""
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")


def _write_report(file: Path | None, report: dict[str, object]) -> None:
    if file:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
