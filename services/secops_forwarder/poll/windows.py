"""Windows of a date: what a search is bounded by, and how one that has too many hits is halved."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_SECOND = timedelta(seconds=1)
# Dates have milliseconds.
_INSTANT = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Window:
    """The dates in [begin, end), in whole seconds; without an end it includes what is dated ahead of our clock."""

    begin: datetime
    end: datetime | None = None

    def terms(self, date_term: str) -> str:
        """Return the terms of a search; they are right whether the source includes their times or not."""
        after = f"{date_term}_after:{_written(self.begin - _INSTANT)}"
        return f"{after} {date_term}_before:{_written(self.end)}" if self.end else after

    def parts(self, cut: datetime | None) -> "list[Window]":
        """Return this window, cut at a time if it has that time within."""
        if cut is None or cut <= self.begin or (self.end and cut >= self.end):
            return [self]
        return [Window(self.begin, cut), Window(cut, self.end)]

    def halves(self, now: datetime) -> "tuple[Window, Window] | None":
        """Return its halves, or None if it cannot be divided: it has a second, or begins in the future."""
        seconds = int(((self.end or now) - self.begin) / _SECOND)
        if seconds < 1 or (self.end and seconds < 2):
            return None
        middle = self.begin + max(1, seconds // 2) * _SECOND
        return Window(self.begin, middle), Window(middle, self.end)


def window_from(begin: datetime, end: datetime | None = None) -> Window:
    """Return the window of whole seconds that has everything from begin on, and from before the end."""
    return Window(begin.replace(microsecond=0), end and end.replace(microsecond=0) + _SECOND)


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
