"""Third-party text is printed literally everywhere, and never interpreted as control characters or markup."""

import logging
import re
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gti_mesh.dead import print_dead_letters
from gti_mesh.printing import say
from gti_mesh.status import show_status
from shared.operations.open_dead_letters import DeadLetterRecord
from shared.operations.status import MeshStatus
from shared.operations.subscriptions import SubscriptionStatus
from shared.runtime.foreign_text import visible
from shared.runtime.logs import TextFormatter
from shared.runtime.terminal import line, terminal
from tests.support.doubles import NOON
from tests.support.paths import REPOSITORY

# What a stranger may write: markup, escape sequences, marks that turn a line around, and what begins a new one.
HOSTILE = (
    "[/x]",
    "[red]",
    "[link=https://evil.example]here[/link]",
    ":boom:",
    "\x1b[2J\x1b[31mhealthy\x1b]0;title\x07",
    "\u202egnp.exe",
    "one\ntwo\r\u2028three",
    "\x9b2J",
    "\udcff",
)


def printed(console: Console) -> str:
    """Return a console's output."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def wide() -> Console:
    """Return the commands' console, wide enough not to fold lines."""
    console = terminal()
    console.file = StringIO()
    console.width = 2000
    return console


def letter(reason: str) -> DeadLetterRecord:
    """Return a dead letter with this third-party text in every field."""
    return DeadLetterRecord(reason, None, None, reason, 1, reason, NOON, None)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_reason_hides_nothing_and_ends_nothing(text: str) -> None:
    """`status` and `dead list` print the text literally, next to all other letters."""
    letters = [letter(text), letter("an honest reason")]
    status, dead = wide(), wide()
    show_status(MeshStatus(NOON, [], [SubscriptionStatus(text, 1, None, text)], letters), status)
    print_dead_letters(letters, dead)
    for output in (printed(status), printed(dead)):
        assert visible(text) in output
        assert "an honest reason" in output
        assert all(one.isprintable() or one == "\n" for one in output)


@given(st.text())
def test_no_text_changes_what_stands_around_it(text: str) -> None:
    """One line stays one line, and every character is visible."""
    console = wide()
    console.print(line(f"before {text} after"), soft_wrap=True)
    assert printed(console) == f"before {visible(text)} after\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_lines_and_logs_are_no_terminals_masters(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An error on standard error and a log on a terminal are escaped; the lines of a stack trace are kept."""
    say(text, err=True)
    assert capsys.readouterr().err == f"{visible(text)}\n"
    record = logging.LogRecord("services.x", logging.INFO, "x.py", 1, "x.event: %s", (text,), None)
    assert visible(text) in TextFormatter().format(record)
    assert "\n" not in TextFormatter().format(record)


def test_nothing_prints_in_another_way() -> None:
    """Consoles come from `terminal`, no text uses rich's markup, and echo prints only JSON."""
    for part in ("gti_mesh", "infra/local", "services", "shared"):
        for file in (REPOSITORY / part).rglob("*.py"):
            code = file.read_text(encoding="utf-8")
            if file.name not in ("terminal.py", "printing.py"):
                assert not re.search(r"\bConsole\(", code), file
                assert not re.search(r"\becho\((?!json\.dumps|f\"\{before\}|\"\[\]\")", code), file
            assert not re.search(r"\[/?(bold|red|green|dim)[\w ]*\]|\[/\]", code), file


def test_a_terminal_takes_no_text_for_markup() -> None:
    """A text that was not passed through `line` is not interpreted either."""
    console = wide()
    console.print("[red]x[/y] :boom:")
    assert printed(console) == "[red]x[/y] :boom:\n"
