"""Load the local mesh to the limit of this machine: `make load`.

It uses real processes, the embedded Pub/Sub and packages of few lines. First the planner publishes a week of all five
feeds without a subscriber. Then `gti-mesh replay --wait` loads a thousand minutes. Then all feeds are kept busy for a
while, an hour of threat lists with every hundred minutes, with merges at the same time, until everything requested is
merged and the audit balances.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import requests
from rich.console import Console
from rich.progress import track

from benchmarks.load_page import page
from benchmarks.section import write_section
from benchmarks.volumes import minute_feeds
from benchmarks.watching import every, memory, watching
from infra.local.mesh import LocalMesh
from infra.local.prerequisites import PubSub
from infra.local.process_specs import SimulatorOptions
from infra.topology import read_topology
from shared.contracts.minutes import ONE_HOUR, format_minute, last_due
from shared.feeds.definition import THREAT_LISTS, period_of
from tests.mesh.harness import MeshHarness, provision_feeds

FEEDS = tuple(minute_feeds())
# The oldest hours of the source are left out: they could expire before their turn.
_HOURS = 150
PUBLISHED = 50_000
# Enough that no service waits for work, few enough that the backlog drains within minutes.
_MAX_OUTSTANDING = 400
_BATCH = 100
_LOOK_SECONDS = 5.0
_MERGE_SECONDS = 60.0
_DRAIN_SECONDS = 900.0

console = Console(stderr=True)


@dataclass(frozen=True)
class Sample:
    """One sample: seconds since the start, minutes requested, landed and loaded, and MiB of each part."""

    seconds: float
    asked: int
    landed: int
    loaded: int
    memory: Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write the results."""
    options = _options(arguments)
    found: dict[str, object] = {}
    if options.publish:
        with _mesh(options.lines) as harness:
            found["publish"] = publish(harness, options.publish)
        console.print(found["publish"])
    with _mesh(options.lines) as harness:
        # Taken once: no minute is asked for by both.
        newest = last_due(datetime.now(UTC))
        if options.replay:
            found["replay"] = replay(harness, newest, options.replay)
            console.print(found["replay"])
        samples = load(harness, options.minutes * 60, newest - timedelta(minutes=options.replay))
        found["load"] = summary(samples)
        found["audit"] = _gti_mesh(harness, "audit").splitlines()
    found["samples"] = [asdict(sample) for sample in samples]
    print(json.dumps({name: part for name, part in found.items() if name != "samples"}, indent=1))  # noqa: T201
    if options.page:
        write_section(options.page, "load", page(found))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def publish(harness: MeshHarness, count: int) -> dict[str, float]:
    """Make the planner publish a replay of this many minutes, over all feeds, to a topic without subscribers."""
    harness.mesh.stop_part("downloader")
    last = last_due(datetime.now(UTC))
    began = time.monotonic()
    each = count // len(FEEDS)
    published = sum(_ask(harness, feed, last - timedelta(minutes=each - 1), last) for feed in FEEDS)
    seconds = time.monotonic() - began
    return {"published": published, "seconds": round(seconds, 2), "a_second": round(published / seconds)}


def replay(harness: MeshHarness, last: datetime, count: int) -> dict[str, object]:
    """Run `gti-mesh replay domains ... --wait`, and record the memory of every part meanwhile."""
    first = last - timedelta(minutes=count - 1)
    with watching(harness.mesh.pids) as peaks:
        began = time.monotonic()
        _gti_mesh(harness, "replay", "domains", format_minute(first), format_minute(last), "--wait")
        seconds = time.monotonic() - began
    return {"minutes": count, "seconds": round(seconds), "a_second": round(count / seconds, 1), "peak_mib": peaks}


def load(harness: MeshHarness, seconds: float, newest: datetime) -> list[Sample]:
    """Keep all feeds busy for a time, then wait until everything has arrived; return the samples."""
    requested = _requests(newest)
    began = time.monotonic()
    samples = [_sample(harness, began, 0)]
    asked = samples[0].loaded
    with every(_MERGE_SECONDS, lambda: requests.post(harness.endpoints.services["merger"], json={}, timeout=600)):
        for _ in track(range(int(seconds / _LOOK_SECONDS)), "load", console=console):
            while asked - samples[-1].loaded < _MAX_OUTSTANDING:
                asked += _ask(harness, *next(requested))
            time.sleep(_LOOK_SECONDS)
            samples.append(_sample(harness, began, asked))
        while samples[-1].loaded < asked and samples[-1].seconds < seconds + _DRAIN_SECONDS:
            time.sleep(_LOOK_SECONDS)
            samples.append(_sample(harness, began, asked))
    harness.call("merger")
    return samples


def summary(samples: Sequence[Sample]) -> dict[str, object]:
    """Return rates up to the last request, the time of draining, and each part's memory early and late."""
    last = [later for earlier, later in pairwise(samples) if later.asked > earlier.asked][-1]
    early = next(sample for sample in samples if sample.seconds >= min(120.0, last.seconds / 4))
    return {
        "seconds": round(last.seconds),
        "minutes_loaded": last.loaded - samples[0].loaded,
        "loaded_a_second": round((last.loaded - samples[0].loaded) / last.seconds, 1),
        "landed_a_second": round((last.landed - samples[0].landed) / last.seconds, 1),
        "most_outstanding": max(sample.asked - sample.loaded for sample in samples[1:]),
        "drained_after_seconds": round(samples[-1].seconds - last.seconds),
        "left": samples[-1].asked - samples[-1].loaded,
        "early_mib": {part: round(held) for part, held in early.memory.items()},
        "late_mib": {part: round(held) for part, held in last.memory.items()},
    }


@contextmanager
def _mesh(lines: int) -> Iterator[MeshHarness]:
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalMesh(
            state=Path(folder) / "state",
            topology=read_topology(profile="local"),
            settings={"FEEDS": ",".join((*FEEDS, THREAT_LISTS)), "LOG_FORMAT": "text"},
            simulator=SimulatorOptions(seed=1, lines=lines),
            schedules=False,
            pubsub=PubSub.EMBEDDED,
            provision=lambda endpoints: provision_feeds(endpoints, *FEEDS, THREAT_LISTS),
        ) as mesh,
    ):
        yield MeshHarness(mesh)


def _requests(newest: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    hour = period_of(THREAT_LISTS).last_due(datetime.now(UTC))
    last, oldest = newest, hour - _HOURS * ONE_HOUR
    while True:
        if hour > oldest:
            yield THREAT_LISTS, hour, hour
            hour -= ONE_HOUR
        first = last - timedelta(minutes=_BATCH // len(FEEDS) - 1)
        yield from ((feed, first, last) for feed in FEEDS)
        last = first - timedelta(minutes=1)


def _ask(harness: MeshHarness, feed: str, first: datetime, last: datetime) -> int:
    body = {"feed": feed, "first": format_minute(first), "last": format_minute(last)}
    published: int = harness.call("planner", "/replay", body)["published"]
    return published


def _sample(harness: MeshHarness, began: float, asked: int) -> Sample:
    harness.mesh.check()
    counted = harness.rows(
        "SELECT event, COUNT(*) AS n FROM (SELECT DISTINCT event, feed, minute FROM `{d}.minutes`) GROUP BY event"
    )
    counts = {row["event"]: row["n"] for row in counted}
    return Sample(
        time.monotonic() - began, asked, counts.get("landed", 0), counts.get("loaded", 0), memory(harness.mesh.pids)
    )


def _gti_mesh(harness: MeshHarness, *arguments: str) -> str:
    state = harness.mesh.log("planner").parents[1]
    command = [str(Path(sys.executable).parent / "gti-mesh"), *arguments, "--state", str(state)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=3600)  # noqa: S603
    return done.stdout.strip()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to keep the mesh busy (default: 10)")
    parser.add_argument("--lines", type=int, default=5, help="lines of a package (default: 5)")
    parser.add_argument("--publish", type=int, default=PUBLISHED, help="minutes to publish (0: skip)")
    parser.add_argument("--replay", type=int, default=1000, help="minutes to replay (0: skip)")
    parser.add_argument("--page", type=Path, help="write the figures into this page's section `load`")
    parser.add_argument("--out", type=Path, help="write everything, samples too, as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
