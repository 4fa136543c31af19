"""The items at a given time: a steady flow by the clock, and items added by tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

from infra.local.virustotal.streams.items import Notification

WEEK = 7 * 86_400
# The numbers of added notifications begin here, above those of the flow.
_ADDED = 2**30


@dataclass
class Timeline:
    """Notifications of one simulator; none of the flow is from before `since`, in epoch seconds."""

    seed: str
    interval: int
    since: float = 0.0

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._resets = 0
        self.reset()

    def reset(self) -> None:
        """Delete the added notifications."""
        with self._lock:
            self._added: list[Notification] = []
            self._resets += 1
            self.flowing = self.interval > 0

    @property
    def version(self) -> tuple[int, int, bool]:
        """A value that changes whenever the notifications change."""
        return self._resets, len(self._added), self.flowing

    def add(self, *, count: int, date: int, spacing: float, padding: int, text: str | None) -> list[Notification]:
        """Add notifications from a date on."""
        with self._lock:
            first = _ADDED + len(self._added)
            new = [
                Notification(self.seed, first + step, int(date + step * spacing), padding, text)
                for step in range(count)
            ]
            self._added += new
        return new

    def notifications(self, now: int, begin: int, end: int) -> Iterator[Notification]:
        """Yield the notifications in [begin, end], in no order; the stream keeps a week."""
        begin, end = max(begin, now - WEEK), min(end, now)
        with self._lock:
            added = list(self._added)
        yield from (one for one in added if begin <= one.date <= end)
        if self.flowing:
            begin = max(begin, int(self.since))
            for number in range(begin // self.interval, end // self.interval + 2):
                one = Notification(self.seed, number, self._date(number))
                if begin <= one.date <= end:
                    yield one

    def _date(self, number: int) -> int:
        # Every tenth has the date of the one before it.
        return (number - (number % 10 == 9)) * self.interval
