"""Divide a run's time among feeds, so that a feed with a backlog does not starve the others."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta


def in_turn(names: Sequence[str], now: datetime, every: timedelta) -> tuple[str, ...]:
    """Return the names, rotated once per interval, so that a run that is cut off does not always skip the same feed."""
    first = int(now.timestamp() // every.total_seconds()) % len(names) if names else 0
    return (*names[first:], *names[:first])


class Turns:
    """The time slots of one run, which begins now: each feed gets an equal share of the remaining time.

    Time that a feed does not use goes to the feeds after it.
    """

    def __init__(self, names: Sequence[str], *, now: Callable[[], datetime], every: timedelta, run: timedelta) -> None:
        self._now = now
        begin = now()
        self.end = begin + run
        self.names = in_turn(names, begin, every)

    def until(self, name: str) -> datetime:
        """Return when the time slot of a feed ends if it begins now."""
        now = self._now()
        return now + max(self.end - now, timedelta()) / (len(self.names) - self.names.index(name))
