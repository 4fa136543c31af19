"""The commands to try next, printed at the end of the demo and when the mesh is up."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from infra.endpoints import DEFAULT_STATE, Endpoints
from infra.local.contents import Contents
from shared.contracts.minutes import utc_now
from shared.feeds.definition import find_feed
from shared.runtime.terminal import line

# How much more than one package the first replay loads.
_COUNT = {"minute": 9, "hour": 1}
_LOADED = {"minute": "ten minutes", "hour": "two hours"}
_SAMPLE = "SELECT id, feed_minute FROM {feed}_current ORDER BY feed_minute DESC LIMIT 10"


def own_command(called_as: str | None = None) -> str:
    """Return how to invoke this command: by name if it is on the PATH, otherwise as it was called."""
    called_as = called_as or sys.argv[0]
    called = Path(called_as)
    if called.name != "gti-mesh":
        return "python -m gti_mesh"
    found = shutil.which("gti-mesh")
    return "gti-mesh" if found and called.exists() and Path(found).samefile(called) else called_as


def print_next_steps(console: Console, environment: Mapping[str, str] = os.environ) -> None:
    """Print the commands that keep the mesh running and query it."""
    # make sets this variable for its recipes (gnu.org/software/make/manual, Recursion).
    up = "make up" if "MAKELEVEL" in environment else f"{own_command()} up"
    console.print()
    console.print(line("next", "bold"))
    query = f"{own_command()} query '{_SAMPLE.format(feed='domains')}'"
    steps = {
        up: "keeps the mesh running, with a status page; it prints the address, and how to load minutes",
        query: f"queries the warehouse, in another terminal, once `{up}` has minutes",
    }
    _steps(console, steps)


def print_running(state: Path, endpoints: Endpoints, contents: Contents, console: Console) -> None:
    """Print the addresses and folders of a running mesh, and the first commands to try."""
    feeds = ", ".join((*contents.feeds, *contents.streams)) or "none"
    lines = (
        f"running; packages come from {contents.source}; feeds: {feeds}",
        f"status page: {endpoints.services['status-page']}",
        f"endpoints: {state / 'endpoints.json'}   logs: {state / 'logs'}   Ctrl-C stops it",
    )
    for text in lines:
        console.print(line(text), soft_wrap=True)
    if contents.feeds:
        console.print("\nto try in another terminal")
        _steps(console, first_commands(state, contents.feeds[0], utc_now()))


def first_commands(state: Path, feed: str, now: datetime) -> dict[str, str]:
    """Return the first commands to try on a mesh, with explanations."""
    command, folder = own_command(), "" if state == DEFAULT_STATE else f" --state {shlex.quote(str(state))}"
    period = find_feed(feed).every()
    first = period.last_due(now) - timedelta(hours=2)
    span = f"{first:%Y-%m-%dT%H:%MZ} {first + _COUNT[period.name] * period.length:%Y-%m-%dT%H:%MZ}"
    return {
        f"{command} replay {feed} {span} --wait{folder}": f"loads {_LOADED[period.name]} into the warehouse",
        f"{command} query '{_SAMPLE.format(feed=feed)}'{folder}": "queries the warehouse",
        f"{command} status{folder}": "what is missing, and what needs an operator",
    }


def _steps(console: Console, steps: Mapping[str, str]) -> None:
    for command, meaning in steps.items():
        # Commands stay on one line for pasting, whatever the terminal's width.
        console.print(line(f"  {command}"), soft_wrap=True)
        console.print(line(f"      {meaning}"), soft_wrap=True)
