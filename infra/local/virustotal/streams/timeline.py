"""Which items there are at a moment: a steady flow by the clock, and what tests add to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

from infra.local.virustotal.streams.items import Notification, Vulnerability

WEEK = 7 * 86_400
# Numbers of added notifications begin here, out of the way of the flow's.
_ADDED = 2**30
_VULNERABILITIES = 500
_VULNERABILITY_SECONDS = 300


@dataclass
class Timeline:
    """Notifications and vulnerabilities of one simulator."""

    seed: str
    interval: int

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._resets = 0
        self.reset()

    def reset(self) -> None:
        """Forget what was added."""
        with self._lock:
            self._added: list[Notification] = []
            self._resets += 1
            self.flowing = self.interval > 0

    @property
    def version(self) -> tuple[int, int, bool]:
        """Something that is another one whenever the notifications of a moment are others."""
        return self._resets, len(self._added), self.flowing

    def add(self, *, count: int, date: int, spacing: float, padding: int) -> list[Notification]:
        """Add notifications from a date on."""
        with self._lock:
            first = _ADDED + len(self._added)
            new = [Notification(self.seed, first + step, int(date + step * spacing), padding) for step in range(count)]
            self._added += new
        return new

    def notifications(self, now: int, begin: int, end: int) -> Iterator[Notification]:
        """Yield what the stream holds in [begin, end], in no order; it keeps a week."""
        begin, end = max(begin, now - WEEK), min(end, now)
        with self._lock:
            added = list(self._added)
        yield from (one for one in added if begin <= one.date <= end)
        if self.flowing:
            for number in range(max(0, begin // self.interval), end // self.interval + 2):
                one = Notification(self.seed, number, self._date(number))
                if begin <= one.date <= end:
                    yield one

    def _date(self, number: int) -> int:
        # Every tenth shares the date of the one before it.
        return (number - (number % 10 == 9)) * self.interval

    def vulnerabilities(self, now: int, begin: int, end: int) -> Iterator[Vulnerability]:
        """Yield every vulnerability at its latest modification, where that lies in [begin, end]."""
        latest = now // _VULNERABILITY_SECONDS
        for version in range(latest - _VULNERABILITIES + 1, latest + 1):
            one = Vulnerability(self.seed, version % _VULNERABILITIES, version * _VULNERABILITY_SECONDS)
            if begin <= one.date <= end:
                yield one
