"""The shape of the page's data: what `gti-mesh status --json` says, and the minutes of each feed as columns.

A feed has 10,080 minutes and a page up to five feeds, so a minute is one letter in a string, and one entry in each of
a few arrays. A capital letter is a minute in trouble.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

from services.console.coverage import Cell, Coverage
from services.console.dead import Death, remedy
from services.console.feeds import FeedStatus
from services.console.status import MeshStatus
from services.console.streams import StreamStatus
from shared.minutes import HORIZON, ONE_MINUTE, oldest_served

MINUTES = HORIZON // ONE_MINUTE
# A minute that nobody has asked for: not due yet, or before the feed began.
NOT_DUE = "."
_LETTERS_A_COMMAND = 20
_LETTERS = {"due": "d", "landed": "l", "loaded": "o", "merged": "m", "absent": "a", "dead": "x"}

Json = dict[str, object]


def shape(status: MeshStatus, coverages: Sequence[Coverage], *, seconds: int) -> Json:
    """Return what the page shows of the mesh."""
    first = oldest_served(status.at)
    minutes = {coverage.feed: _minutes(coverage, first, status.at) for coverage in coverages}
    return {
        "seconds": seconds,
        "first": first,
        "problems": status.problems(),
        "feeds": [{**_feed(feed), **minutes[feed.feed]} for feed in status.feeds],
        "streams": [_stream(stream) for stream in status.streams],
        "subscriptions": [asdict(subscription) for subscription in status.subscriptions],
        "dead_letters": [_letters(deaths) for deaths in _alike(status.deaths)],
        "untold": len(status.untold()),
    }


def _feed(feed: FeedStatus) -> Json:
    report = feed.report()
    # It changes by the clock alone, which the page has too; without it, equal content stays equal.
    del report["freshness_minutes"]
    return {**report, "conditions": list(feed.conditions())}


def _stream(stream: StreamStatus) -> Json:
    report = stream.report()
    # As with a feed's: the page has a clock too.
    del report["freshness_minutes"]
    return report


def _alike(deaths: Sequence[Death]) -> Iterator[list[Death]]:
    """Yield letters of one feed or stream and reason together, the newest first, as many as one command can name."""
    kinds: dict[tuple[object, ...], list[Death]] = {}
    for death in deaths:
        kinds.setdefault((death.feed, death.stream, death.action, death.reason, death.source), []).append(death)
    for kind in kinds.values():
        yield from (kind[at : at + _LETTERS_A_COMMAND] for at in range(0, len(kind), _LETTERS_A_COMMAND))


def _letters(deaths: Sequence[Death]) -> Json:
    minutes = sorted(death.minute for death in deaths if death.minute)
    return {
        "feed": deaths[0].feed,
        "stream": deaths[0].stream,
        "minutes": minutes,
        "ids": [death.message_id for death in deaths],
        "reason": deaths[0].reason,
        "attempts": max((death.attempts or 0 for death in deaths), default=0),
        "source": deaths[0].source,
        "at": deaths[0].at,
        "remedy": remedy(deaths),
    }


def _minutes(coverage: Coverage, first: datetime, now: datetime) -> Json:
    cells: list[Cell | None] = [None] * MINUTES
    for cell in coverage.cells:
        cells[int((cell.minute - first) / ONE_MINUTE)] = cell
    return {
        "cells": "".join(_letter(cell, now) if cell else NOT_DUE for cell in cells),
        "lines": _column(cells, lambda cell: cell.lines),
        "rejected": _column(cells, lambda cell: cell.rejected),
        "at": _column(cells, lambda cell: int(cell.at.timestamp()) if cell.at else None),
        "job": _column(cells, lambda cell: _job(coverage.feed, cell)),
        "said": {str(number): _said(cell) for number, cell in enumerate(cells) if cell and cell.reason},
    }


def _letter(cell: Cell, now: datetime) -> str:
    letter = _LETTERS[cell.state]
    return letter.upper() if cell.trouble(now) else letter


def _column(cells: Sequence[Cell | None], value: Callable[[Cell], object]) -> list[object]:
    return [value(cell) if cell else None for cell in cells]


def _said(cell: Cell) -> Json:
    return {"reason": cell.reason, "attempts": cell.attempts}


def _job(feed: str, cell: Cell) -> str | None:
    """Return a load job without what its feed and minute say already; such a rest begins with a hyphen."""
    return cell.job_id and cell.job_id.removeprefix(f"gti-mesh-{feed}-{cell.minute:%Y%m%d%H%M}")
