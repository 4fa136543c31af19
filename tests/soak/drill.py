"""`python -m tests.soak.drill`: how long each kind of death holds up what is on its way, one after the other.

Five minutes are asked for, a part is killed while they travel and started again at once, and the clock runs until all
five are loaded; for the forwarder, until five notifications are at SecOps. The first line has no death in it.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infra.local.machine import PubSub
from shared.asking import ask
from shared.minutes import ONE_MINUTE
from tests.soak.ending import STREAM
from tests.soak.world import Size, World, build_world
from tests.waiting import wait_until

FEED = "domains"
COUNT = 5
_PATIENCE = 300.0
_FEED_PARTS = ("nothing", "downloader", "loader", "merger", "pubsub", "storage", "bigquery", "virustotal")
_STREAM_PARTS = ("nothing", "secops-poll", "secops-import", "secops", "pubsub", "storage")


def main(arguments: Sequence[str] | None = None) -> int:
    """Drill every kind and print seconds."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.drill", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".gti-mesh/drill"), help="made empty first, and left")
    parser.add_argument("--report", type=Path, help="write the figures to this file as JSON")
    options = parser.parse_args(arguments)
    shutil.rmtree(options.state, ignore_errors=True)
    found: dict[str, float] = {}
    world = build_world(
        options.state.absolute(), seed=1, size=Size(minutes=1, notification_seconds=0), pubsub=PubSub.EMBEDDED
    )
    with world.mesh:
        for number, part in enumerate(_FEED_PARTS):
            _note(found, f"minutes, {part}", _minutes(world, number, part))
        for number, part in enumerate(_STREAM_PARTS):
            _note(found, f"notifications, {part}", _notifications(world, number, part))
    if options.report:
        options.report.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def _note(found: dict[str, float], kind: str, seconds: float) -> None:
    found[kind] = round(seconds, 1)
    sys.stdout.write(f"{kind}: {seconds:.1f} s\n")
    sys.stdout.flush()


def _minutes(world: World, number: int, part: str) -> float:
    minutes = [world.first - (COUNT * number + back) * ONE_MINUTE for back in range(COUNT)]
    ask(world.console.publisher, FEED, minutes, reason="replay")

    def merged() -> bool:
        if world.call("merger") != 200:
            return False
        states = world.console.ledger.states(FEED, minutes[-1], minutes[0])
        return [state.state for state in states] == ["merged"] * COUNT

    return _until(world, part, merged)


def _notifications(world: World, number: int, part: str) -> float:
    begin = datetime.now(UTC) - timedelta(minutes=8) + number * timedelta(seconds=20)
    ids = set(world.lists.add(begin, count=COUNT, spacing=1))
    world.call_beside("secops-poll")

    def accepted() -> bool:
        # The schedule comes again, and finds what a poll that died has left.
        world.call("secops-poll")
        return ids <= world.secops.keys(STREAM.log_type)

    return _until(world, part, accepted)


def _until(world: World, part: str, reached: Callable[[], bool]) -> float:
    began = time.monotonic()
    if part != "nothing":
        world.mesh.kill(part)
        world.mesh.start_part(part)
    wait_until(reached, _PATIENCE, f"everything to arrive after the death of {part}")
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
