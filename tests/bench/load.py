"""Load the local mesh as far as this machine goes: `make load`.

Real processes and the embedded Pub/Sub, packages of few lines. First the planner publishes a week of all five feeds
while nobody takes it; then `gti-mesh replay --wait` brings in a thousand minutes; then all feeds are kept busy for a
while, with merges beside, until everything asked for is merged and the audit balances.
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

from infra.local.machine import PubSub
from infra.local.mesh import LocalMesh
from infra.local.parts import SimulatorOptions
from infra.topology import read_topology
from shared.feeds.definition import known_feeds
from shared.minutes import format_minute, last_due
from tests.bench.load_page import page
from tests.bench.section import write_section
from tests.bench.watching import every, memory, watching
from tests.mesh.whole import Whole, provision_feeds

FEEDS = tuple(known_feeds())
PUBLISHED = 50_000
# Enough that no service waits for work, few enough that the backlog drains within minutes.
_MOST_OUTSTANDING = 400
_BATCH = 100
_LOOK_SECONDS = 5.0
_MERGE_SECONDS = 60.0
_DRAIN_SECONDS = 900.0

console = Console(stderr=True)


@dataclass(frozen=True)
class Sample:
    """One look: seconds since the load began, minutes asked for, landed and loaded, and MiB of each part."""

    seconds: float
    asked: int
    landed: int
    loaded: int
    memory: Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write what was found."""
    options = _options(arguments)
    found: dict[str, object] = {}
    if options.publish:
        with _mesh(options.lines) as whole:
            found["publish"] = publish(whole, options.publish)
        console.print(found["publish"])
    with _mesh(options.lines) as whole:
        # Taken once: no minute is asked for by both.
        newest = last_due(datetime.now(UTC))
        if options.replay:
            found["replay"] = replay(whole, newest, options.replay)
            console.print(found["replay"])
        samples = load(whole, options.minutes * 60, newest - timedelta(minutes=options.replay))
        found["load"] = summary(samples)
        found["audit"] = _gti_mesh(whole, "audit").splitlines()
    found["samples"] = [asdict(sample) for sample in samples]
    print(json.dumps({name: part for name, part in found.items() if name != "samples"}, indent=1))  # noqa: T201
    if options.page:
        write_section(options.page, "load", page(found))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def publish(whole: Whole, count: int) -> dict[str, float]:
    """Have the planner publish a replay of so many minutes, over all feeds, to a topic that nobody reads."""
    whole.mesh.stop_part("downloader")
    last = last_due(datetime.now(UTC))
    began = time.monotonic()
    each = count // len(FEEDS)
    published = sum(_ask(whole, feed, last - timedelta(minutes=each - 1), last) for feed in FEEDS)
    seconds = time.monotonic() - began
    return {"published": published, "seconds": round(seconds, 2), "a_second": round(published / seconds)}


def replay(whole: Whole, last: datetime, count: int) -> dict[str, object]:
    """Run `gti-mesh replay domains ... --wait`, and watch what every part holds meanwhile."""
    first = last - timedelta(minutes=count - 1)
    with watching(whole.mesh.pids) as peaks:
        began = time.monotonic()
        _gti_mesh(whole, "replay", "domains", format_minute(first), format_minute(last), "--wait")
        seconds = time.monotonic() - began
    return {"minutes": count, "seconds": round(seconds), "a_second": round(count / seconds, 1), "peak_mib": peaks}


def load(whole: Whole, seconds: float, newest: datetime) -> list[Sample]:
    """Keep all feeds busy for so long, then let everything come in; return what was seen."""
    requested = _requests(newest)
    began = time.monotonic()
    samples = [_sample(whole, began, 0)]
    asked = samples[0].loaded
    with every(_MERGE_SECONDS, lambda: requests.post(whole.endpoints.services["merger"], json={}, timeout=600)):
        for _ in track(range(int(seconds / _LOOK_SECONDS)), "load", console=console):
            while asked - samples[-1].loaded < _MOST_OUTSTANDING:
                asked += _ask(whole, *next(requested))
            time.sleep(_LOOK_SECONDS)
            samples.append(_sample(whole, began, asked))
        while samples[-1].loaded < asked and samples[-1].seconds < seconds + _DRAIN_SECONDS:
            time.sleep(_LOOK_SECONDS)
            samples.append(_sample(whole, began, asked))
    whole.call("merger")
    return samples


def summary(samples: Sequence[Sample]) -> dict[str, object]:
    """Return rates up to the last request, the time of draining, and what each part held early and late."""
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
def _mesh(lines: int) -> Iterator[Whole]:
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalMesh(
            state=Path(folder) / "state",
            topology=read_topology(profile="local"),
            settings={"FEEDS": ",".join(FEEDS), "LOG_FORMAT": "text"},
            simulator=SimulatorOptions(seed=1, lines=lines),
            schedules=False,
            pubsub=PubSub.EMBEDDED,
            provision=lambda endpoints: provision_feeds(endpoints, *FEEDS),
        ) as mesh,
    ):
        yield Whole(mesh)


def _requests(newest: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    last = newest
    while True:
        first = last - timedelta(minutes=_BATCH // len(FEEDS) - 1)
        yield from ((feed, first, last) for feed in FEEDS)
        last = first - timedelta(minutes=1)


def _ask(whole: Whole, feed: str, first: datetime, last: datetime) -> int:
    body = {"feed": feed, "first": format_minute(first), "last": format_minute(last)}
    published: int = whole.call("planner", "/replay", body)["published"]
    return published


def _sample(whole: Whole, began: float, asked: int) -> Sample:
    whole.mesh.check()
    counted = whole.rows(
        "SELECT event, COUNT(*) AS n FROM (SELECT DISTINCT event, feed, minute FROM `{d}.minutes`) GROUP BY event"
    )
    counts = {row["event"]: row["n"] for row in counted}
    return Sample(
        time.monotonic() - began, asked, counts.get("landed", 0), counts.get("loaded", 0), memory(whole.mesh.pids)
    )


def _gti_mesh(whole: Whole, *arguments: str) -> str:
    state = whole.mesh.log("planner").parents[1]
    command = [str(Path(sys.executable).parent / "gti-mesh"), *arguments, "--state", str(state)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=3600)  # noqa: S603
    return done.stdout.strip()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to keep the mesh busy (default: 10)")
    parser.add_argument("--lines", type=int, default=5, help="lines of a package (default: 5)")
    parser.add_argument("--publish", type=int, default=PUBLISHED, help="minutes to publish (0: skip)")
    parser.add_argument("--replay", type=int, default=1000, help="minutes to replay (0: skip)")
    parser.add_argument("--page", type=Path, help="write the figures into this page's section `load`")
    parser.add_argument("--out", type=Path, help="write everything, samples too, as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
