"""The local scheduler's clock and calls."""

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from infra.local.scheduler import Call, keep_calling, post


class Clock:
    """A clock that stands still unless the test advances it."""

    def __init__(self, time: str) -> None:
        self.now = datetime.fromisoformat(f"2026-11-21T{time}+00:00")
        self.seconds = 0.0

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds

    def elapsed(self) -> float:
        """Return the seconds that have passed, whatever the time was set to."""
        return self.seconds


def call(cron: str = "* * * * *", url: str = "http://127.0.0.1:1/sweep") -> Call:
    """Return a call of the planner."""
    return Call(name="plan", cron=cron, url=url, seconds=1)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [("* * * * *", "14:31"), ("*/10 * * * *", "14:40"), ("5,35 * * * *", "14:35"), ("0 3 * * *", "03:00")],
)
def test_next_time_is_after_the_moment_in_utc(cron: str, expected: str) -> None:
    """The next time is never the given time itself; otherwise a call would repeat within its minute."""
    found = call(cron).next_time(datetime(2026, 11, 21, 14, 30, tzinfo=UTC))
    assert found.utcoffset() is not None
    assert found.strftime("%H:%M") == expected


def test_calls_at_the_due_time_and_again_after_each_call() -> None:
    """A call is made at its time, not before, and the next one is computed from its end."""
    clock, stopped = Clock("14:30:30"), Event()
    calls: list[str] = []

    def send(_: Call) -> None:
        calls.append(clock.now.strftime("%H:%M:%S"))
        clock.pass_seconds(150)
        if len(calls) == 2:
            stopped.set()

    keep_calling(call(), stopped, send, now=clock, elapsed=clock.elapsed, pause=clock.pass_seconds)
    assert calls == ["14:31:00", "14:34:00"]


def test_a_clock_that_is_set_back_stops_no_schedule() -> None:
    """The call comes after the seconds it was away, and the next one at the new time's minute."""
    clock, stopped = Clock("14:30:30"), Event()
    calls: list[tuple[str, float]] = []

    def pause(seconds: float) -> None:
        if clock.seconds == 10:
            clock.now -= timedelta(hours=3)
        clock.pass_seconds(seconds)

    def send(_: Call) -> None:
        calls.append((clock.now.strftime("%H:%M:%S"), clock.seconds))
        if len(calls) == 2:
            stopped.set()

    keep_calling(call(), stopped, send, now=clock, elapsed=clock.elapsed, pause=pause)
    assert calls == [("11:31:00", 30.0), ("11:32:00", 90.0)]


def test_late_wake_up_calls_once_at_once() -> None:
    """After a sleep over several scheduled times there is one call."""
    clock, stopped = Clock("14:30:30"), Event()
    calls: list[str] = []

    def sleep(_: float) -> None:
        # The seconds that a machine sleeps are not counted.
        clock.now += timedelta(hours=1)

    def send(_: Call) -> None:
        calls.append(clock.now.strftime("%H:%M:%S"))
        stopped.set()

    keep_calling(call(), stopped, send, now=clock, elapsed=clock.elapsed, pause=sleep)
    assert calls == ["15:30:30"]


def test_unreachable_service_is_logged_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    """A failed call is logged, and the schedule continues."""
    with caplog.at_level("INFO", logger="scheduler"):
        post(call())
    assert "plan POST http://127.0.0.1:1/sweep: failed: " in caplog.text
