"""How fast items appear and change in the simulator, so that a test of minutes sees what takes days."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Alerts, issues and collections appear and change `times` as fast as in reality; nothing flows before `since`.

    since is in epoch seconds. At any pace an alert's summary comes five seconds after it; above 500 times the alert
    would be marked as read before that.
    """

    times: float = 1.0
    since: float = 0.0

    def seconds(self, real: float) -> float:
        """Return how long something takes that really takes so many seconds."""
        return real / self.times

    def numbers(self, interval: float, begin: float, end: float) -> range:
        """Return the numbers of what comes at multiples of an interval, after a time and up to another."""
        return range(int(max(begin, self.since) // interval) + 1, int(end // interval) + 1)
