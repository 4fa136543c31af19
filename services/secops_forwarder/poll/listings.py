"""How a list is read: what a pass asks for, which items of a page belong to it, when it ends, and what it leaves open.

The log of pages, deliveries and everything behind them are the same for every kind of list.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from services.secops_forwarder.poll.page_buffer import NewItem
from shared.streams.definition import ListingKind, Stream

# An item that the source shows more than this after its own date is not found by a pass.
OVERLAP = timedelta(minutes=10)


class Listing(Protocol):
    """A kind of list; resumable means that a page can be requested again, by another poll too."""

    @property
    def resumable(self) -> bool:
        """Whether a pass can be continued from a cursor."""

    def filter_from(self, stream: Stream, since: datetime) -> str:
        """Return the filter of a pass for everything from a time on."""

    def belonging(self, items: Sequence[NewItem], since: datetime) -> tuple[Sequence[NewItem], bool]:
        """Return the items of a page that belong to a pass, and whether none on later pages do."""

    def open_from(self, since: datetime, began: datetime, newest: datetime) -> datetime:
        """Return where a new pass has to begin if this one, with its newest logged item, is never completed."""


class Ascending:
    """Oldest first, bounded by a date in the filter: a pass has read everything before its position."""

    resumable = True

    def filter_from(self, stream: Stream, since: datetime) -> str:
        """Return the filter with the date."""
        return stream.filter_from(since)

    def belonging(self, items: Sequence[NewItem], since: datetime) -> tuple[Sequence[NewItem], bool]:  # noqa: ARG002
        """Return all items: the filter leaves out older ones."""
        return items, False

    def open_from(self, since: datetime, began: datetime, newest: datetime) -> datetime:
        """Return the position, less the overlap."""
        return max(since, min(began, newest) - OVERLAP)


class ByUpdate:
    """The last updated first, without a bound: a pass ends at the first item that is older than its begin.

    An item that is updated comes again, at the front. Only a completed pass has read everything since its begin, so an
    open one leaves its begin as it was. Its pages cannot be requested again (a scroll reads on with every request), so
    a pass that is interrupted starts over from the front.
    """

    resumable = False

    def filter_from(self, stream: Stream, since: datetime) -> str:  # noqa: ARG002
        """Return the filter without a date: the list cannot be bounded by the time of an update."""
        return stream.filter

    def belonging(self, items: Sequence[NewItem], since: datetime) -> tuple[Sequence[NewItem], bool]:
        """Return the items up to the first older one."""
        begin = since.replace(microsecond=0)
        found: list[NewItem] = []
        for item in _dated(items):
            if item.date and item.date < begin:
                return found, True
            found.append(item)
        return found, False

    def open_from(self, since: datetime, began: datetime, newest: datetime) -> datetime:  # noqa: ARG002
        """Return the begin of the pass."""
        return since


def _dated(items: Sequence[NewItem]) -> list[NewItem]:
    """Return the items with dates; one without a date gets its predecessor's, or else its successor's."""
    dates = [item.date for item in items if item.date]
    last = dates[0] if dates else None
    found: list[NewItem] = []
    for item in items:
        last = item.date or last
        found.append(replace(item, date=last))
    return found


LISTINGS: dict[ListingKind, Listing] = {"ascending": Ascending(), "by_update": ByUpdate()}
