"""What needs an operator: problems, each with its remedy."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from shared.contracts.outcomes import Misconfigured, Retryable

T = TypeVar("T")

_COMMAND = "gti-mesh "


@dataclass(frozen=True)
class Problem:
    """A problem's text and its remedy: a command, or empty if the text says what to do."""

    text: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return the problem in one line."""
        return f"{self.text}; {self.remedy}" if self.remedy else self.text

    def on(self, state: str) -> "Problem":
        """Return the problem of the mesh in a state folder."""
        return Problem(self.text, command_on(self.remedy, state))


def command_on(command: str, state: str) -> str:
    """Return a command for the mesh in a state folder; empty means the one that commands find by default."""
    return f"{command} --state {shlex.quote(state)}" if state and command.startswith(_COMMAND) else command


def readable(read: Callable[[], T], problems: list[Problem]) -> T | None:
    """Return the result of a read; if it fails, add a problem and return None."""
    try:
        return read()
    except (Misconfigured, Retryable) as error:
        problems.append(Problem(str(error)))
        return None
