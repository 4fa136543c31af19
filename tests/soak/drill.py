"""`python -m tests.soak.drill`: how long each kind of kill delays work in progress, one after another.

Five minutes are requested, a part is killed during their processing and restarted at once, and the time is measured
until all five are loaded; for the forwarder, until five notifications are at SecOps. The first line is without a kill.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infra.local.prerequisites import PubSub
from shared.contracts.minute_requests import ask
from shared.contracts.minutes import ONE_MINUTE
from tests.soak.soak_mesh import Size, SoakMesh, build_soak_mesh
from tests.support.streams import STREAM
from tests.support.waiting import wait_until

FEED = "domains"
COUNT = 5
_PATIENCE = 300.0
_FEED_PARTS = ("nothing", "downloader", "loader", "merger", "pubsub", "storage", "bigquery", "virustotal")
_STREAM_PARTS = ("nothing", "secops-poll", "secops-import", "secops", "pubsub", "storage")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the drill for every kind and print seconds."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.drill", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".gti-mesh/drill"), help="made empty first, and left")
    parser.add_argument("--report", type=Path, help="write the figures to this file as JSON")
    options = parser.parse_args(arguments)
    shutil.rmtree(options.state, ignore_errors=True)
    found: dict[str, float] = {}
    soak_mesh = build_soak_mesh(
        options.state.absolute(),
        seed=1,
        size=Size(minutes=1, streams=(STREAM.name,), notification_seconds=0),
        pubsub=PubSub.EMBEDDED,
    )
    with soak_mesh.mesh:
        for number, part in enumerate(_FEED_PARTS):
            _note(found, f"minutes, {part}", _minutes(soak_mesh, number, part))
        for number, part in enumerate(_STREAM_PARTS):
            _note(found, f"notifications, {part}", _notifications(soak_mesh, number, part))
    if options.report:
        options.report.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def _note(found: dict[str, float], kind: str, seconds: float) -> None:
    found[kind] = round(seconds, 1)
    sys.stdout.write(f"{kind}: {seconds:.1f} s\n")
    sys.stdout.flush()


def _minutes(soak_mesh: SoakMesh, number: int, part: str) -> float:
    minutes = [soak_mesh.first - (COUNT * number + back) * ONE_MINUTE for back in range(COUNT)]
    ask(soak_mesh.mesh_view.publisher, FEED, minutes, reason="replay")

    def merged() -> bool:
        if soak_mesh.call("merger") != 200:
            return False
        states = soak_mesh.mesh_view.ledger.states(FEED, minutes[-1], minutes[0])
        return [state.state for state in states] == ["merged"] * COUNT

    return _until(soak_mesh, part, merged)


def _notifications(soak_mesh: SoakMesh, number: int, part: str) -> float:
    begin = datetime.now(UTC) - timedelta(minutes=8) + number * timedelta(seconds=20)
    ids = set(soak_mesh.lists.add(begin, count=COUNT, spacing=1))
    soak_mesh.call_beside("secops-poll")

    def accepted() -> bool:
        # The schedule comes again, and finds what a poll that died has left.
        soak_mesh.call("secops-poll")
        return ids <= soak_mesh.secops.keys(STREAM.log_type)

    return _until(soak_mesh, part, accepted)


def _until(soak_mesh: SoakMesh, part: str, reached: Callable[[], bool]) -> float:
    began = time.monotonic()
    if part != "nothing":
        soak_mesh.mesh.kill(part)
        soak_mesh.mesh.start_part(part)
    wait_until(reached, f"everything to arrive after the death of {part}", seconds=_PATIENCE)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
