"""The format of the page's data: what `gti-mesh status` says, and the minutes of each feed as columns.

A feed has 10,080 minutes and a page up to five feeds, so a minute is one letter in a string, and one entry in each of
a few arrays. In a feed of hours all minutes of an hour have its letter, and the first has the rest. A capital letter is
a minute in trouble. Troubles of one kind are one entry, and reasons that differ only in the minute that they name are
one text, so that the data of the worst week are not much larger than of a good one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from shared.contracts.minutes import HORIZON, ONE_MINUTE, Period, format_minute, last_due, oldest_served
from shared.operations.coverage import Cell, Coverage
from shared.operations.feed_status import FeedStatus
from shared.operations.gaps import gap_kinds
from shared.operations.letter_kinds import letter_kinds
from shared.operations.problems import Problem, command_on
from shared.operations.status import MeshStatus
from shared.operations.stream_status import StreamStatus

MINUTES = HORIZON // ONE_MINUTE
# A minute that is not due yet, and a due one that was not requested, because it is before the feed's first.
NOT_DUE = "."
NOT_ASKED_FOR = "-"
_LETTERS = {"due": "d", "unrequested": "u", "landed": "l", "loaded": "o", "merged": "m", "absent": "a", "dead": "x"}
# Texts of a feed; minutes with others are shown with their type of error.
_MAX_REASONS = 100

Json = dict[str, object]


def shape(status: MeshStatus, coverages: Sequence[Coverage], *, seconds: int) -> Json:
    """Return the data of the page."""
    first = oldest_served(status.at)
    minutes = {coverage.feed: _minutes(coverage, first, status.at) for coverage in coverages}
    letters_without_gap = status.letters_without_gap
    return {
        "seconds": seconds,
        "first": first,
        "problems": status.problems(),
        "trouble": _on(status, status.trouble),
        "feeds": [{**_feed(feed, status), **minutes[feed.feed]} for feed in status.feeds],
        "streams": [_stream(stream, status) for stream in status.streams],
        "subscriptions": [asdict(subscription) for subscription in status.subscriptions],
        "dead_letters": [_with_command(kind.report(), status) for kind in letter_kinds(letters_without_gap)],
        "letters_without_gap": len(letters_without_gap),
        "letters_in_gaps": len(status.dead_letters) - len(letters_without_gap),
        "resolved": asdict(tidy) if (tidy := status.to_tidy_up()) else None,
    }


def _feed(feed: FeedStatus, status: MeshStatus) -> Json:
    facts = feed.facts()
    # It only depends on the clock, which the page has too; without it, equal content stays equal.
    del facts["freshness_minutes"]
    gaps = [_with_command(kind.report(), status) for kind in gap_kinds(feed.unexplained_gaps())]
    return {**facts, "gaps": gaps, "conditions": _on(status, feed.conditions())}


def _stream(stream: StreamStatus, status: MeshStatus) -> Json:
    facts = stream.facts()
    # As for a feed, the page computes it from its clock.
    del facts["freshness_minutes"]
    runs = [_with_command(vars(run), status) for run in stream.unexplained()]
    return {**facts, "undelivered": runs, "conditions": _on(status, stream.conditions())}


def _on(status: MeshStatus, problems: Iterable[Problem]) -> list[Json]:
    return [asdict(problem.on(status.state)) for problem in problems]


def _with_command(report: Mapping[str, object], status: MeshStatus) -> Json:
    return {**report, "remedy": command_on(str(report["remedy"]), status.state)}


def _minutes(coverage: Coverage, first: datetime, now: datetime) -> Json:
    cells: list[Cell | None] = [None] * MINUTES
    for cell in coverage.cells:
        place = int((cell.minute - first) / ONE_MINUTE)
        # The clock of the ledger's writer can be ahead of this one.
        if 0 <= place < MINUTES:
            cells[place] = cell
    # A minute that the planner has not come to is not due, unless it should have: then it has a cell.
    end = int(((coverage.last_due or last_due(now)) - first) / ONE_MINUTE)
    return {
        "every": coverage.period.length // ONE_MINUTE,
        "cells": _letters(cells, end, now, coverage.period),
        "lines": _column(cells, lambda cell: cell.lines),
        "rejected": _column(cells, lambda cell: cell.rejected or None),
        # In seconds after the minute.
        "at": _column(cells, lambda cell: round((cell.at - cell.minute).total_seconds()) if cell.at else None),
        "job": _column(cells, lambda cell: _job(coverage.feed, cell)),
        **_reasons(cells),
    }


def _letters(cells: Sequence[Cell | None], end: int, now: datetime, period: Period) -> str:
    """Return a letter for each minute; a cell fills all minutes of its package."""
    letters = [_empty(place <= end) for place in range(MINUTES)]
    every = period.length // ONE_MINUTE
    for place, cell in enumerate(cells):
        if cell:
            letters[place : place + every] = _letter(cell, now, period) * every
    return "".join(letters[:MINUTES])


def _empty(due: bool) -> str:
    return NOT_ASKED_FOR if due else NOT_DUE


def _letter(cell: Cell, now: datetime, period: Period) -> str:
    letter = _LETTERS[cell.state]
    return letter.upper() if cell.trouble(now, period) else letter


def _column(cells: Sequence[Cell | None], value: Callable[[Cell], object]) -> list[object]:
    return [value(cell) if cell else None for cell in cells]


def _reasons(cells: Sequence[Cell | None]) -> Json:
    """Return the texts of the dead minutes, and which of them each minute has: its number, and how many attempts."""
    texts: dict[tuple[str | None, str], int] = {}
    dead_minutes: dict[str, list[int | None]] = {}
    for place, cell in enumerate(cells):
        if cell and cell.reason:
            text = (cell.error_type, _without_minute(cell))
            if len(texts) >= _MAX_REASONS and text not in texts:
                text = (cell.error_type, "")
            dead_minutes[str(place)] = [texts.setdefault(text, len(texts)), cell.attempts]
    return {"reasons": [{"error_type": kind, "reason": reason} for kind, reason in texts], "dead_minutes": dead_minutes}


def _without_minute(cell: Cell) -> str:
    """Return the reason with the minute replaced by a mark, which the page replaces by the minute."""
    return (cell.reason or "").replace(format_minute(cell.minute), "\0z").replace(f"{cell.minute:%Y%m%d%H%M}", "\0m")


def _job(feed: str, cell: Cell) -> str | None:
    """Return a load job's id without feed and minute; such a shortened id begins with a hyphen."""
    return cell.job_id and cell.job_id.removeprefix(f"gti-mesh-{feed}-{cell.minute:%Y%m%d%H%M}")
