"""`gti-mesh doctor`: check everything that the mesh relies on, and print what to do about failures."""

import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gti_mesh.parameters import AsJson, State, Yes, print_json
from gti_mesh.printing import say
from shared.operations.doctor.check import NOT_LOCAL
from shared.runtime.terminal import line, terminal

if TYPE_CHECKING:
    from shared.operations.doctor.check import Check
    from shared.operations.doctor.examine import Result

_STYLES = {"pass": "green", "fail": "bold red", "could not look": "yellow", "skipped": "dim"}


def doctor(
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Run checks whose name contains this; repeatable.")
    ] = None,
    names: Annotated[bool, typer.Option("--list", help="List the checks and what each relies on; run none.")] = False,
    yes: Yes = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Check a project, and behaviours of Google Cloud that the mesh relies on; exit 1 if a check fails."""
    from gti_mesh.doctor_checks import checks_of
    from infra.doctor.scratch import Scratch
    from shared.operations.doctor.examine import examine, exit_code

    with terminated_like_interrupted(), Scratch() as scratch:
        found = checks_of(state, scratch)
        checks = [check for check in found.checks if not only or any(part in check.name for part in only)]
        if names:
            say(*(f"{check.name}: {check.relies_on}" for check in checks))
            return
        results = examine(checks, local=found.local, consent=lambda check: yes or _agrees(check, as_json=as_json))
        done = list(results if as_json else shown(results, terminal()))
    if as_json:
        print_json({"results": [result.report() for result in done], "left_behind": scratch.left})
    else:
        show_end(done, scratch.left, terminal())
    raise typer.Exit(exit_code(done) or int(bool(scratch.left)))


def _agrees(check: "Check", *, as_json: bool) -> bool:
    # A prompt would break the JSON output.
    return not as_json and typer.confirm(f"{check.name}: {check.consent}. Run it?", default=False)


def shown(results: Iterable["Result"], console: Console) -> Iterator["Result"]:
    """Print each result as it arrives, with what to do about a failure, and yield it."""
    for result in results:
        outcome = result.finding.outcome.value
        if result.finding.seen != NOT_LOCAL:
            console.print(line(f"{outcome:15}{result.check.name}: {result.finding.seen}", _STYLES[outcome]))
        if outcome == "fail":
            console.print(line(f"{'':15}it means: {result.check.meaning}"))
            console.print(line(f"{'':15}what to do: {result.check.remedy}"))
        yield result


def show_end(results: Sequence["Result"], left: Iterable[str], console: Console) -> None:
    """Print the number of checks per outcome, and the resources that could not be removed."""
    elsewhere = sum(result.finding.seen == NOT_LOCAL for result in results)
    outcomes = Counter(result.finding.outcome.value for result in results if result.finding.seen != NOT_LOCAL)
    console.print(", ".join(f"{outcomes[name]} {name}" for name in _STYLES if outcomes[name]) or "no check was run")
    if elsewhere:
        console.print(f"{elsewhere} checks are about Google Cloud and were not run on a local mesh; --list has all")
    for text in left:
        console.print(line(f"left behind, remove it by hand: {text}", "bold red"))


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that the checks' resources are removed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
