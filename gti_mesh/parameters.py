"""Parameters shared by several commands, and their checks."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.core import TyperCommand

from shared.contracts.minutes import Period, floor_minute, format_moment, parse_minute, utc_now
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import Feed, find_feed, find_package_feed, find_stream_feed
from shared.streams.definition import Stream, find_stream

State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        file_okay=False,
        help="State folder of a local mesh; by default the one of `up`, otherwise the cloud.",
    ),
]
LocalState = Annotated[
    Path | None,
    typer.Option("--state", file_okay=False, help="State folder of a local mesh; by default the one of `up`."),
]
_AGO = re.compile(r"(?:now)?-(\d{1,6})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def minute(text: str) -> datetime:
    """Parse a minute, as 2026-11-21T14:10Z, or as -3h, a time before now (m, h or d)."""
    if ago := _AGO.fullmatch(text):
        return floor_minute(utc_now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
    try:
        return parse_minute(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or as -90m, -3h or -2d") from None


@dataclass(frozen=True)
class PackageTime:
    """A time that names a package of a feed: as it was written, or counted back from now."""

    minute: datetime
    from_now: bool

    def of(self, period: Period) -> datetime:
        """Return the minute; one that is counted back from now becomes the first minute of the package it is in."""
        return period.floor(self.minute) if self.from_now else self.minute


def package_time(text: str) -> PackageTime:
    """Parse a time as `minute` does."""
    return PackageTime(minute(text), from_now=_AGO.fullmatch(text) is not None)


class TakesTimes(TyperCommand):
    """A command with times among its arguments, where -3h is a time and not an option."""

    def parse_args(self, ctx: object, args: list[str]) -> list[str]:
        """Mark relative times before options are parsed."""
        marked = [f"now{given}" if given.startswith("-") and _AGO.fullmatch(given) else given for given in args]
        # Typer does not export the type of its context.
        return super().parse_args(ctx, marked)  # type: ignore[arg-type]


def feed_name(text: str) -> str:
    """Check the name of a feed."""
    return _name(text, find_feed)


KnownFeed = Annotated[str, typer.Argument(parser=feed_name, metavar="FEED", help="The feed, for example domains.")]


def feed_names(text: str) -> str:
    """Parse a comma-separated list of at least one feed."""
    return _names(text, find_package_feed) or _missing("name at least one feed, for example domains")


def forwarded_stream_names(text: str) -> str:
    """Parse a comma-separated list of at least one stream."""
    return _names(text, find_stream) or _missing("name at least one stream, for example ioc_stream")


def stream_names(text: str) -> str:
    """Parse a comma-separated list of streams that can go into BigQuery, which may be empty."""
    return _names(text, find_stream_feed)


def _names(text: str, find: Callable[[str], Feed | Stream]) -> str:
    return ",".join(_name(one, find) for one in map(str.strip, text.split(",")) if one)


def _name(text: str, find: Callable[[str], Feed | Stream]) -> str:
    try:
        return find(text).name
    except Misconfigured as error:
        raise typer.BadParameter(str(error)) from None


def _missing(reason: str) -> NoReturn:
    raise typer.BadParameter(reason)


def print_json(value: object) -> None:
    """Print a report as JSON; every time has one form, `2026-11-21T14:10:00Z`."""
    typer.echo(json.dumps(value, default=_json_value, indent=2))


def _json_value(value: object) -> str:
    return format_moment(value) if isinstance(value, datetime) else str(value)
