"""An hour of all threat lists through the whole mesh on this machine: `make bench-lists`.

Planner, downloader, loader and merger are real processes; the emulators and the simulator run on the same machine. No
list has more indicators than one answer can have, unless `--indicators` says so. The simulator prepares the answers
before an hour is measured, and its clock stands still, so that the measurement has only the sending of them.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from benchmarks.downloader import machine
from benchmarks.section import write_section
from benchmarks.watching import memory, watching
from infra.local.mesh import LocalMesh
from infra.local.prerequisites import PubSub
from infra.local.process_specs import SIMULATOR_KEY, SimulatorOptions
from infra.local.virustotal.threat_lists.client import ThreatListsControl
from infra.topology import read_topology
from shared.contracts.minutes import ONE_HOUR, format_minute
from shared.feeds.definition import THREAT_LISTS, period_of
from shared.virustotal.threat_lists import LIMIT, LISTS
from tests.mesh.harness import MeshHarness, provision_feeds
from tests.support.waiting import wait_until

_PATIENCE = 1800.0
_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class Took:
    """What an hour took: requests, lines, bytes landed, seconds from the planner's request on, MiB above idle."""

    requests: int
    lines: int
    megabytes: float
    landed: float
    loaded: float
    merged: float
    above_idle: int


@dataclass(frozen=True)
class Bar:
    """A criterion: a figure of every hour, and the most that it may be."""

    says: str
    figure: Callable[[Took], float]
    most: float


_BARS = (
    Bar("downloader: MiB above idle", lambda took: took.above_idle, 96),
    Bar("requests, if no list is full", lambda took: took.requests, 15),
    Bar("seconds from the request to the rows in history, with a merge at once", lambda took: took.merged, 300),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the figures; return 1 if a criterion is not met."""
    options = _options(arguments)
    with _mesh() as harness:
        lists = ThreatListsControl(str(harness.endpoints.virustotal_control))
        harness.control.stop_clock(now := datetime.now(UTC))
        newest = period_of(THREAT_LISTS).last_due(now)
        hours = [newest - number * ONE_HOUR for number in range(options.rounds + 1)]
        lists.set_settings(counts=dict.fromkeys(LISTS, 5))
        # Imports and connections are made by a small hour.
        _run(harness, hours.pop(), 5)
        lists.set_settings(counts=dict.fromkeys(LISTS, options.indicators))
        took = [_run(harness, hour, options.indicators) for hour in hours]
    lines = list(page(took, options.indicators))
    print("\n".join(lines))  # noqa: T201
    if options.page:
        write_section(options.page, "lists", lines)
    return 0 if all(bar.figure(one) <= bar.most for bar in _BARS for one in took) else 1


def _run(harness: MeshHarness, hour: datetime, indicators: int) -> Took:
    """Bring one hour in, and merge."""
    _write_lists(harness, hour, indicators)
    before, idle = _requests(harness), memory(harness.mesh.pids)["downloader"]
    written = format_minute(hour)
    began = time.time()
    with watching({"downloader": harness.mesh.pids["downloader"]}, _SAMPLE_SECONDS) as peaks:
        harness.call("planner", "/replay", {"feed": THREAT_LISTS, "first": written, "last": written})
        wait_until(lambda: "loaded" in _events(harness, written), f"{written} to be loaded", seconds=_PATIENCE)
    # On a busy machine the emulator may answer a merge too late; the next run goes on, as in the cloud.
    wait_until(partial(_merge, harness), f"{written} to be merged", seconds=_PATIENCE)
    events = _events(harness, written)
    [hour_of_ledger] = harness.rows(
        f"SELECT MAX(`rows`) AS n, MAX(bytes) AS size FROM `{{d}}.minutes` WHERE minute = TIMESTAMP '{written}'"  # noqa: S608
    )
    return Took(
        requests=_requests(harness) - before,
        lines=hour_of_ledger["n"],
        megabytes=hour_of_ledger["size"] / 1e6,
        above_idle=round(peaks["downloader"] - idle),
        **{event: events[event] - began for event in ("landed", "loaded", "merged")},
    )


def _merge(harness: MeshHarness) -> bool:
    return requests.post(harness.endpoints.services["merger"], json={}, timeout=_PATIENCE).ok


def _write_lists(harness: MeshHarness, hour: datetime, indicators: int) -> None:
    """Let the simulator write the lists of an hour, which takes it longer than anything that is measured."""
    api = f"{harness.endpoints.virustotal_control}/api/v3/threat_lists"
    for name, types in LISTS.items():
        # Full lists are requested again by type.
        for kind in ("", *(f"&type={one}" for one in types if indicators >= LIMIT)):
            address = f"{api}/{name}/{hour:%Y%m%d%H}?limit={LIMIT}{kind}"
            requests.get(address, headers={"x-apikey": SIMULATOR_KEY}, timeout=_PATIENCE).raise_for_status()


def _requests(harness: MeshHarness) -> int:
    return sum(seen.count for seen in harness.control.stats().requests if seen.feed == THREAT_LISTS)


def _events(harness: MeshHarness, hour: str) -> Mapping[str, float]:
    sql = f"SELECT event, MIN(`at`) AS at FROM `{{d}}.minutes` WHERE minute = TIMESTAMP '{hour}' GROUP BY event"  # noqa: S608
    return {row["event"]: row["at"].timestamp() for row in harness.rows(sql)}


@contextmanager
def _mesh() -> Iterator[MeshHarness]:
    with (
        TemporaryDirectory() as folder,
        LocalMesh(
            state=Path(folder) / "state",
            topology=read_topology(profile="local"),
            settings={"FEEDS": THREAT_LISTS, "LOG_FORMAT": "text"},
            simulator=SimulatorOptions(seed=1, lines=5),
            schedules=False,
            pubsub=PubSub.EMBEDDED,
            provision=lambda endpoints: provision_feeds(endpoints, THREAT_LISTS),
        ) as mesh,
    ):
        yield MeshHarness(mesh)


def page(took: Sequence[Took], indicators: int) -> Iterator[str]:
    """Yield the figures in Markdown."""
    first = took[0]
    yield (
        f"{machine()}. Medians of {len(took)} hours of {len(LISTS)} lists with {indicators:,} indicators each: "
        f"{first.lines:,} lines, {first.megabytes:.0f} MB."
    )
    yield ""
    yield "| what we ask of an hour | at most | median | most | |"
    yield "|---|---:|---:|---:|---|"
    for bar in _BARS:
        figures = [bar.figure(one) for one in took]
        met = "met" if max(figures) <= bar.most else "not met"
        yield f"| {bar.says} | {bar.most:g} | {statistics.median(figures):.0f} | {max(figures):.0f} | {met} |"
    yield ""
    seconds = {name: f"{_median(took, name):.0f} s" for name in ("landed", "loaded", "merged")}
    yield (
        f"After the planner's request an hour landed within {seconds['landed']}, was loaded within "
        f"{seconds['loaded']} and merged within {seconds['merged']}."
    )


def _median(took: Sequence[Took], name: str) -> float:
    return float(statistics.median(getattr(one, name) for one in took))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="hours (default: 3)")
    parser.add_argument("--indicators", type=int, default=LIMIT - 1, help="of each list (default: one less than full)")
    parser.add_argument("--page", type=Path, help="write the figures into this page's section `lists`")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
