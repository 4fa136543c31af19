"""Compare the downloader with bzip2 and with other clients: `make bench`.

Every contender fetches the same packages from a server on this machine. In each round each takes its turn, so that
disturbances of the machine affect all alike. Results are medians; compare ratios within one run.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.bars import bars
from benchmarks.packages import package_of
from benchmarks.plot import draw
from benchmarks.section import write_section
from benchmarks.servers import Servers, serving
from tests.support.paths import DOCS
from tests.support.resident import resident_mebibytes

_ROUNDS = {10: 7, 100: 5, 500: 2}
# bzip2's memory is at its peak with the first block.
_DECODER_READY_SECONDS = 0.15
Measured = Mapping[str, float]


@dataclass(frozen=True)
class Contender:
    """A contender, with its number of processors and of concurrent packages."""

    name: str
    processors: int = 1
    packages: int = 1

    def __str__(self) -> str:
        """Return one line of text."""
        at_once = f", {self.packages} packages at once" if self.packages > 1 else ""
        return f"{self.name}, {self.processors} core{'s' * (self.processors > 1)}{at_once}"


_ALL = (
    Contender("bzip2 -dc"),
    Contender("bzip2 -dc", 2, 2),
    Contender("lbzip2 -dc", 2),
    Contender("gti-mesh"),
    Contender("gti-mesh", 2),
    Contender("gti-mesh", 2, 2),
    Contender("gti-mesh without lbzip2"),
    Contender("gti-mesh without lbzip2", 2),
    Contender("predecessor"),
    Contender("whole batch"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write it with a plot."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as folder:
        packages = options.packages or Path(folder)
        sizes = {size: package_of(size, packages) for size in (1, *options.sizes)}
        results = measure(sizes, options.rounds, Path(folder) / "buckets")
    rounds = {size: options.rounds or _ROUNDS.get(size, 3) for size in options.sizes}
    report = {"machine": machine(), "load": os.getloadavg()[0], "results": results}
    print(table(results))  # noqa: T201
    if options.out:
        options.out.mkdir(exist_ok=True)
        (options.out / "performance.json").write_text(json.dumps(report, indent=1) + "\n")
        draw(results, options.out / "performance.png")
        write_section(options.out / "performance.md", "measured", _page(results, rounds))


def measure(sizes: Mapping[int, Path], rounds: int | None, root: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Return medians by size and contender."""
    root.mkdir()
    first = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=3)
    minutes = {size: [_name(first, 2 * number + copy) for copy in (0, 1)] for number, size in enumerate(sizes)}
    served = {minute: sizes[size] for size, names in minutes.items() for minute in names}
    results = {}
    with serving(served, root) as servers:
        for size in list(sizes)[1:]:
            runs: dict[Contender, list[Measured]] = {contender: [] for contender in _present()}
            for _ in range(rounds or _ROUNDS.get(size, 3)):
                for contender, measured in runs.items():
                    measured.append(run(contender, sizes[size], minutes[1][0], minutes[size], servers))
            results[str(size)] = {str(contender): _medians(measured) for contender, measured in runs.items()}
    return results


def run(contender: Contender, package: Path, warm: str, minutes: Sequence[str], servers: Servers) -> Measured:
    """Run a contender once, and return its measurements."""
    if contender.name.endswith("-dc"):
        return _decode(contender, package)
    processors = ",".join(map(str, _processors(contender)))
    with servers.bucket() as bucket:
        command = [sys.executable, "-m", "benchmarks.contenders", contender.name, servers.source, servers.storage]
        command += [bucket, processors, warm, *minutes[: contender.packages]]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    return measured


def _decode(contender: Contender, package: Path) -> Measured:
    program, *flags = contender.name.split()
    threads = ["-n", str(contender.processors)] if program == "lbzip2" else []
    command = [shutil.which(program) or program, *threads, *flags, str(package)]
    pin: Callable[[], None] = lambda: os.sched_setaffinity(0, _processors(contender))  # noqa: E731
    began = time.monotonic()
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=pin)  # noqa: S603, PLW1509 - no threads here
        for _ in range(contender.packages)
    ]
    time.sleep(_DECODER_READY_SECONDS)
    # The kernel's figures for an ended process include the memory of its parent.
    peak = sum(resident_mebibytes("VmHWM", process.pid) for process in running)
    ended = [os.wait4(process.pid, 0)[2] for process in running]
    wall = time.monotonic() - began
    for process in running:
        process.returncode = 0
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in ended)
    return {"wall": wall, "cpu": cpu, "idle": 0.0, "peak": peak}


def _processors(contender: Contender) -> set[int]:
    return set(sorted(os.sched_getaffinity(0))[: contender.processors])


def _present() -> Iterator[Contender]:
    enough = len(os.sched_getaffinity(0))
    for contender in _ALL:
        program = contender.name.split()[0]
        if contender.processors <= enough and (not contender.name.endswith("-dc") or shutil.which(program)):
            yield contender


def _medians(runs: Sequence[Measured]) -> dict[str, float]:
    return {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}


def _name(first: datetime, number: int) -> str:
    return f"{first - timedelta(minutes=number):%Y%m%d%H%M}"


def table(results: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Return the results as a table in Markdown."""
    head = "| JSON | contender | wall s | MB/s | x bzip2 wall | CPU s | x bzip2 CPU | peak MiB | above idle |"
    rows = [head, "|---|---|---|---|---|---|---|---|---|"]
    for size, contenders in results.items():
        floor = contenders[str(_ALL[0])]
        for name, took in contenders.items():
            count = 2 if "at once" in name else 1
            rows.append(
                f"| {size} MB | {name} | {took['wall']:.2f} | {count * int(size) / took['wall']:.0f} "
                f"| {took['wall'] / count / floor['wall']:.2f} | {took['cpu']:.2f} "
                f"| {took['cpu'] / count / floor['cpu']:.2f} | {took['peak']:.0f} | {took['peak'] - took['idle']:.0f} |"
            )
    return "\n".join(rows)


def _page(results: Mapping[str, Mapping[str, Mapping[str, float]]], rounds: Mapping[int, int]) -> Iterator[str]:
    taken = ", ".join(f"{count} of {size} MB" for size, count in rounds.items())
    yield f"{machine()}. Medians of interleaved rounds: {taken}."
    yield ""
    yield table(results)
    yield ""
    yield from bars(results)


def machine() -> str:
    """Describe the machine's processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "?")
    return f"{model}, {os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 500], help="megabytes of JSON")
    parser.add_argument("--rounds", type=int, help="of every size (default: 7, 5 and 2)")
    parser.add_argument("--packages", type=Path, help="keep the packages in this folder for the next run")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder for performance.json and .png")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
