"""One soak from its seed to its verdict."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from infra.local.prerequisites import PubSub
from shared.contracts.minutes import format_minute
from tests.soak.ending import plan_to, settle
from tests.soak.engine import Engine
from tests.soak.plan import Event, plan_briefly, plan_events
from tests.soak.sabotage import sabotage
from tests.soak.secrets import find_key
from tests.soak.soak_mesh import Size, build_soak_mesh, soak_topology
from tests.soak.story import minute_story
from tests.soak.stream_hours import collect_hours
from tests.soak.verdict import Verdict, judge

# After whose death a request may have been accepted and not recorded: one in every thread of the importer.
_AMBIGUOUS = ("secops-import", "storage", "secops")

# The short form's schedules are hurried; two cores that carry hundreds of minutes would do little but merge and sweep.
_LONG_PACE = 3.0
_TRICKS = 2


@dataclass(frozen=True)
class Options:
    """A run's options; without a number of kills it is the short form."""

    folder: Path
    seed: int
    seconds: float
    kills: int | None
    size: Size
    pubsub: PubSub
    short_leases: bool = False


@dataclass(frozen=True)
class Outcome:
    """The result of a soak."""

    verdict: Verdict
    kills: Counter[str]
    report: dict[str, object]


def soak(options: Options, say: Callable[[str], None]) -> Outcome:
    """Run one soak; its state folder is kept."""
    soak_mesh = build_soak_mesh(options.folder, seed=options.seed, size=options.size, pubsub=options.pubsub)
    with soak_mesh.mesh:
        soak_mesh.began = datetime.now(UTC)
        collect_hours(soak_mesh)
        soak_mesh.spoil_source()
        # A feed begins where its planner first looks; what is before that was never promised.
        plan_to(soak_mesh, soak_mesh.first)
        engine = Engine(soak_mesh, say, options.short_leases, 1.0 if options.kills is None else _LONG_PACE)
        began = time.monotonic()
        try:
            engine.play(_events(options, embedded=soak_mesh.pubsub is not None), options.seconds)
        finally:
            # A mount that only root can end must not be what a soak leaves.
            engine.release()
        played = time.monotonic() - began
        say(f"{played:6.1f} s  no more faults")
        rounds = settle(soak_mesh, engine, say)
        settled = time.monotonic() - began - played
        verdict = judge(soak_mesh, most_twice=_most_twice(engine))
        if verdict.balanced and options.kills is not None:
            verdict.wrong += sabotage(soak_mesh, options.seed, _TRICKS, say)
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
    """Return how many requests SecOps may have got twice: lost responses, and posts that a kill interrupted."""
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
        "answers": dict(sorted(engine.soak_mesh.answers.items())),
        "verdict": {name: value for name, value in vars(verdict).items() if name != "first"},
    }


def explain(options: Options, verdict: Verdict) -> list[str]:
    """Return the information for debugging: the seed, the mismatches, and the first minute's history."""
    lines = [f"seed {options.seed}; the state is left in {options.folder}", *verdict.wrong[:40]]
    if verdict.first:
        feed, minute = verdict.first
        lines += ["", f"the story of {feed} {format_minute(minute)}:"]
        lines += minute_story(options.folder / "state" / "logs", feed, minute)
    return lines
