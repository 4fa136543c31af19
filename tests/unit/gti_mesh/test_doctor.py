"""The output and the exit of `gti-mesh doctor`."""

import os
import signal
from io import StringIO

import pytest
from rich.console import Console

from gti_mesh.doctor import show_end, shown, terminated_like_interrupted
from shared.operations.doctor.check import NOT_LOCAL, Check, Finding, failed, passed, skipped, unknown
from shared.operations.doctor.examine import Result


def result(name: str, finding: Finding) -> Result:
    """Return a result."""
    return Result(Check(name, "something", lambda: finding, "it matters", "do this"), finding, 0.0)


def printed(*results: Result, left: tuple[str, ...] = ()) -> list[str]:
    """Return the lines for these results."""
    console = Console(file=StringIO(), width=100, markup=False)
    show_end(list(shown(results, console)), left, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_a_fail_says_what_it_means_and_what_to_do() -> None:
    """A fail has its meaning and its remedy; other outcomes have one line each, and the last line counts all."""
    lines = printed(result("a", passed("fine")), result("b", failed("gone")), result("c", unknown("403")))
    assert [line.strip() for line in lines] == [
        "pass           a: fine",
        "fail           b: gone",
        "it means: it matters",
        "what to do: do this",
        "could not look c: 403",
        "1 pass, 1 fail, 1 could not look",
    ]


def test_checks_of_the_cloud_are_only_counted_on_a_local_mesh() -> None:
    """On a local mesh the checks of the cloud are counted, without a line each."""
    lines = printed(result("a", passed("fine")), result("b", skipped(NOT_LOCAL)))
    assert lines == [
        "pass           a: fine",
        "1 pass",
        "1 checks are about Google Cloud and were not run on a local mesh; --list has all",
    ]


def test_foreign_text_is_shown_and_not_obeyed() -> None:
    """Markup and escape sequences in a server's answer are printed, not executed."""
    lines = printed(result("a", unknown("[red]x[/red] \x1b[2J")), left=("topic [/x]",))
    assert lines[0] == "could not look a: [red]x[/red] \\x1b[2J"
    assert lines[-1] == "left behind, remove it by hand: topic [/x]"


def test_sigterm_interrupts_so_that_resources_are_removed() -> None:
    """SIGTERM raises as Ctrl-C does, and the previous handler is restored afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminated_like_interrupted():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
