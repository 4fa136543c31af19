"""Arguments that several commands take, and what is checked before anything is started."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from infra.local.machine import PUBSUB_VARIABLE, PubSub
from shared.feeds.definition import find_feed
from shared.minutes import parse_minute
from shared.outcomes import Misconfigured

State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        file_okay=False,
        help="State folder of a local mesh; by default the one that `up` uses, else the cloud.",
    ),
]

LocalState = Annotated[
    Path | None,
    typer.Option("--state", file_okay=False, help="State folder of a local mesh; by default the one that `up` uses."),
]

LocalPubSub = Annotated[
    PubSub,
    typer.Option(
        envvar=PUBSUB_VARIABLE,
        help="The official emulator, the embedded server, or (auto) the emulator where it is installed.",
    ),
]


def minute(text: str) -> datetime:
    """Return the minute that a text names."""
    try:
        return parse_minute(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def feed_names(text: str) -> str:
    """Return the feeds that a comma list names, of which there is at least one."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise typer.BadParameter("name at least one feed, for example domains")
    try:
        return ",".join(find_feed(name).name for name in names)
    except Misconfigured as error:
        raise typer.BadParameter(str(error)) from None
