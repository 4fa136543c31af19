"""`python -m tests.fuzz`: 100,000 inputs for each target, each in its own process to measure its memory."""

import argparse
import json
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

from benchmarks.section import write_section
from tests.fuzz.page import page
from tests.fuzz.target import Fuzzed
from tests.fuzz.targets import TARGETS, fuzz_target


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the targets on the command line; exit 1 when an input has no outcome."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each target (default: 100,000)")
    parser.add_argument("--seed", type=int, default=1, help="other inputs by another seed (default: 1)")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--workers", type=int, default=2, help="targets at once (default: 2)")
    parser.add_argument("--report", type=Path, help="write the figures to this file as JSON")
    parser.add_argument("--page", type=Path, help="write them into this page, in place of those that it has")
    options = parser.parse_args(arguments)
    names = options.target or list(TARGETS)
    failed, found = False, []
    with get_context("spawn").Pool(options.workers, maxtasksperchild=1) as pool:
        running = {name: pool.apply_async(fuzz_target, (name, options.inputs, options.seed)) for name in names}
        for name, running_target in running.items():
            try:
                found.append(running_target.get())
            except Exception as error:  # noqa: BLE001 (whatever nobody has foreseen is what is looked for)
                failed = True
                _say("\n".join([f"{name}: {type(error).__name__}: {error}", *getattr(error, "__notes__", ())]))
                continue
            _say(_described(found[-1]))
    if options.report:
        options.report.write_text(json.dumps([vars(one) for one in found], indent=2) + "\n", encoding="utf-8")
    if options.page and not failed:
        write_section(options.page, "fuzzed", page(found))
    return 1 if failed else 0


def _described(found: Fuzzed) -> str:
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in found.outcomes.most_common())
    return (
        f"{found.target}: {found.inputs} inputs in {found.seconds:.0f} s, {found.gained_mib:.0f} MiB more; {outcomes}"
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
