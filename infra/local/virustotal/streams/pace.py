"""How fast the items that change flow, so that a test of minutes sees what takes days."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Alerts, issues and collections come and change this many times as fast, and nothing flows from before a time.

    The time is in epoch seconds. A late summary keeps its five seconds, so an alert is read after it up to 500 times.
    """

    times: float = 1.0
    since: float = 0.0

    def seconds(self, real: float) -> float:
        """Return how long something takes that really takes so many seconds."""
        return real / self.times

    def numbers(self, interval: float, begin: float, end: float) -> range:
        """Return the numbers of what comes at multiples of an interval, after a time and up to another."""
        return range(int(max(begin, self.since) // interval) + 1, int(end // interval) + 1)
