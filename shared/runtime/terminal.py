"""Output through rich: foreign text must be passed through `line`."""

from rich.console import Console
from rich.text import Text

from shared.runtime.foreign_text import visible


def line(text: str, style: str = "") -> Text:
    """Return styled text for rich, without markup, on one line."""
    return Text(visible(text), style=style)


def terminal() -> Console:
    """Return a console that never interprets markup."""
    return Console(highlight=False, markup=False, emoji=False)
