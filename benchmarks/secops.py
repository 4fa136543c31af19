"""Compare the delivery of notifications to SecOps with two other programs: `make bench-secops`.

All contenders read the same notifications from one simulator and post to another, on this machine, one after another in
every round. Results are medians; compare ratios within one run.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from benchmarks.stream_contenders import CONTENDERS, source_pages
from infra.local.virustotal.streams.client import ListsControl
from tests.support.paths import REPOSITORY
from tests.support.secops import LOG_TYPE, RunningSecOps, end_secops, start_secops
from tests.support.simulator import Running, end, start

# With the simulator's own entities, about 25 KB an item.
_PADDING = 8_500
_SECONDS_BETWEEN = 5.0
_PATIENCE = 900.0
_PAGES_OF_ENTITIES = 3


@dataclass(frozen=True)
class Result:
    """A contender's measurements in one round."""

    name: str
    seconds: float
    slept: float
    peak: float
    requests: int
    delivered: int
    duplicates: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    options = _options(arguments)
    source = start("--notification-seconds", "0", "--log-level", "WARNING")
    secops = start_secops()
    try:
        begin = datetime.now(UTC) - timedelta(seconds=options.count * _SECONDS_BETWEEN + 60)
        begin = max(begin, datetime.now(UTC) - timedelta(hours=23))
        spacing = min(_SECONDS_BETWEEN, 22 * 3600 / options.count)
        ListsControl(source.url).add(begin, count=options.count, spacing=spacing, padding=_PADDING)
        # The simulator makes its hundred entities when they are first read, which is not the first contender's work.
        list(islice(source_pages(source.url), _PAGES_OF_ENTITIES))
        found = [_measure(name, source, secops) for _ in range(options.rounds) for name in CONTENDERS]
    finally:
        end(source)
        end_secops(secops)
    _show(found, options.count)


def _measure(name: str, source: Running, secops: RunningSecOps) -> Result:
    secops.control.reset()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.stream_contenders", name, source.url, secops.url, folder]
        done = subprocess.run(  # noqa: S603
            command, cwd=REPOSITORY, capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    measured = json.loads(done.stdout)
    seen = secops.control.stats().log_type(LOG_TYPE)
    result = Result(name, **measured, requests=seen.accepted, delivered=seen.distinct, duplicates=seen.duplicates)
    sys.stderr.write(f"{result}\n")
    return result


def _show(found: list[Result], count: int) -> None:
    rows = [_median([one for one in found if one.name == name]) for name in CONTENDERS]
    base = next(row.seconds for row in rows if row.name == "predecessor")
    print(f"{count} notifications\n")  # noqa: T201
    print(f"{'':14}{'seconds':>9}{'a second':>10}{'slept':>8}{'requests':>10}{'peak MiB':>10}{'times':>7}")  # noqa: T201
    for row in rows:
        if row.delivered != count or row.duplicates:
            raise SystemExit(f"{row.name} delivered {row.delivered} of {count}, {row.duplicates} twice")
        speed, ratio = count / row.seconds, base / row.seconds
        print(  # noqa: T201
            f"{row.name:14}{row.seconds:9.1f}{speed:10.0f}{row.slept:8.0f}{row.requests:10}{row.peak:10.0f}{ratio:7.1f}"
        )


def _median(rounds: list[Result]) -> Result:
    seconds = statistics.median(one.seconds for one in rounds)
    return min(rounds, key=lambda one: abs(one.seconds - seconds))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.secops", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="notifications (default: 10,000)")
    parser.add_argument("--rounds", type=int, default=1, help="rounds (default: 1)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
