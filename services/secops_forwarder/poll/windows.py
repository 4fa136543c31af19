"""Windows of a date, which bound a search, and how a window with too many hits is halved."""

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
        """Return the terms of a search for all dates of the window, whether or not the source includes the bounds."""
        after = f"{date_term}_after:{_written(self.begin - _INSTANT)}"
        return f"{after} {date_term}_before:{_written(self.end)}" if self.end else after

    def parts(self, cut: datetime | None) -> "list[Window]":
        """Return the parts of this window before and from a time on, or the window alone if the time is not inside."""
        if cut is None or cut <= self.begin or (self.end and cut >= self.end):
            return [self]
        return [Window(self.begin, cut), Window(cut, self.end)]

    def halves(self, now: datetime) -> "tuple[Window, Window] | None":
        """Return its halves, or None if it cannot be divided: it has only a second, or begins in the future."""
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
