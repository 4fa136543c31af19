"""The local scheduler's clock and calls."""

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from infra.local.scheduler import Call, keep_calling, post


class Clock:
    """A clock that stands still unless told to pass."""

    def __init__(self, time: str) -> None:
        self.now = datetime.fromisoformat(f"2026-11-21T{time}+00:00")

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        """Go on."""
        self.now += timedelta(seconds=seconds)


def call(cron: str = "* * * * *", url: str = "http://127.0.0.1:1/sweep") -> Call:
    """Return a call of the planner."""
    return Call(name="plan", cron=cron, url=url, seconds=1)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [("* * * * *", "14:31"), ("*/10 * * * *", "14:40"), ("5,35 * * * *", "14:35"), ("0 3 * * *", "03:00")],
)
def test_next_time_is_after_the_moment_in_utc(cron: str, expected: str) -> None:
    """A schedule never answers with the moment itself, or a call would repeat within its minute."""
    found = call(cron).next_time(datetime(2026, 11, 21, 14, 30, tzinfo=UTC))
    assert found.utcoffset() is not None
    assert found.strftime("%H:%M") == expected


def test_calls_at_the_due_time_and_again_after_each_call() -> None:
    """A call is made when its time has come, not before, and the next one is counted from its end."""
    clock, stopped = Clock("14:30:30"), Event()
    calls: list[str] = []

    def send(_: Call) -> None:
        calls.append(clock.now.strftime("%H:%M:%S"))
        clock.pass_seconds(150)
        if len(calls) == 2:
            stopped.set()

    keep_calling(call(), stopped, send, now=clock, pause=clock.pass_seconds)
    assert calls == ["14:31:00", "14:34:00"]


def test_late_wake_up_calls_once_at_once() -> None:
    """A machine that slept over many times of a schedule makes one call for them all."""
    clock, stopped = Clock("14:30:30"), Event()
    calls: list[str] = []

    def sleep(_: float) -> None:
        clock.pass_seconds(3600)

    def send(_: Call) -> None:
        calls.append(clock.now.strftime("%H:%M:%S"))
        stopped.set()

    keep_calling(call(), stopped, send, now=clock, pause=sleep)
    assert calls == ["15:30:30"]


def test_unreachable_service_is_logged_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    """A failing call says what failed; the schedule goes on."""
    with caplog.at_level("INFO", logger="scheduler"):
        post(call())
    assert "plan POST http://127.0.0.1:1/sweep: failed: " in caplog.text
