"""One soak from its seed to its verdict."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from infra.local.machine import PubSub
from shared.minutes import format_minute
from tests.soak.ending import plan_to, settle
from tests.soak.engine import Engine
from tests.soak.plan import Event, plan_briefly, plan_events
from tests.soak.secrets import find_key
from tests.soak.story import tell
from tests.soak.verdict import Verdict, judge
from tests.soak.world import Size, build_world, soak_topology

# After whose death a request may have been accepted and not recorded: one in every thread of the importer.
_AMBIGUOUS = ("secops-import", "storage", "secops")

# The short form's schedules are hurried; two cores that carry hundreds of minutes would do little but merge and sweep.
_LONG_PACE = 3.0


@dataclass(frozen=True)
class Options:
    """What is asked for; without a number of kills it is the short form."""

    folder: Path
    seed: int
    seconds: float
    kills: int | None
    size: Size
    pubsub: PubSub
    short_leases: bool = False


@dataclass(frozen=True)
class Outcome:
    """What one soak has to show."""

    verdict: Verdict
    kills: Counter[str]
    report: dict[str, object]


def soak(options: Options, say: Callable[[str], None]) -> Outcome:
    """Run one soak; the state is left where it is."""
    world = build_world(options.folder, seed=options.seed, size=options.size, pubsub=options.pubsub)
    with world.mesh:
        world.began = datetime.now(UTC)
        world.spoil_source()
        # A feed begins where its planner first looks; what is before that was never promised.
        plan_to(world, world.first)
        engine = Engine(world, say, options.short_leases, 1.0 if options.kills is None else _LONG_PACE)
        began = time.monotonic()
        try:
            engine.play(_events(options, embedded=world.pubsub is not None), options.seconds)
        finally:
            # A mount that only root can end must not be what a soak leaves.
            engine.release()
        played = time.monotonic() - began
        say(f"{played:6.1f} s  no more faults")
        rounds = settle(world, engine, say)
        settled = time.monotonic() - began - played
        verdict = judge(world, most_twice=_most_twice(engine))
    verdict.wrong += engine.unexpected
    verdict.wrong += [f"the API key is in {file}" for file in find_key(options.folder)]
    report = _report(options, engine, verdict, played, settled, rounds)
    (options.folder / "report.json").write_text(json.dumps(report, indent=2, default=str) + "\n", encoding="utf-8")
    return Outcome(verdict, engine.kills, report)


def _events(options: Options, *, embedded: bool) -> list[Event]:
    if options.kills is None:
        return plan_briefly(seconds=options.seconds, embedded=embedded)
    return plan_events(options.seed, seconds=options.seconds, kills=options.kills, embedded=embedded)


def _most_twice(engine: Engine) -> int:
    """Return how many requests SecOps may have got twice: answers that were lost, and posts cut off by a death."""
    threads = soak_topology().services["secops-import"].concurrency
    deaths = sum(count for kind, count in engine.kills.items() if kind.split()[0] in _AMBIGUOUS)
    disks = sum(count for kind, count in engine.faults.items() if kind.endswith(": storage"))
    return engine.faults["secops: lost_answer"] + threads * (deaths + disks)


def _report(
    options: Options, engine: Engine, verdict: Verdict, played: float, settled: float, rounds: int
) -> dict[str, object]:
    return {
        "seed": options.seed,
        "seconds": round(played),
        "settled_seconds": round(settled),
        "sweeps_to_settle": rounds,
        "kills": engine.kills.total(),
        "kills_by_kind": dict(sorted(engine.kills.items())),
        "faults": engine.faults.total(),
        "faults_by_kind": dict(sorted(engine.faults.items())),
        "ready_seconds": {
            part: {"median": round(median(times), 1), "most": round(max(times), 1)}
            for part, times in sorted(engine.ready.items())
        },
        "answers": dict(sorted(engine.world.answers.items())),
        "verdict": {name: value for name, value in vars(verdict).items() if name != "first"},
    }


def explain(options: Options, verdict: Verdict) -> list[str]:
    """Return what somebody needs who wants to know why: the seed, what is wrong, and the first minute's story."""
    lines = [f"seed {options.seed}; the state is left in {options.folder}", *verdict.wrong[:40]]
    if verdict.first:
        feed, minute = verdict.first
        lines += ["", f"the story of {feed} {format_minute(minute)}:"]
        lines += tell(options.folder / "state" / "logs", feed, minute)
    return lines
