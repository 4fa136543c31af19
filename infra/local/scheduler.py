"""Cloud Scheduler on one machine: `python -m infra.local.scheduler CALLS`, where CALLS is a JSON list of calls."""

import logging
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread

import requests
from croniter import croniter
from pydantic import BaseModel, ConfigDict, TypeAdapter

_LOG = logging.getLogger("scheduler")
# A machine that slept wakes up late; looking at the clock this often, the scheduler is late by no more.
_LOOK_SECONDS = 1.0


class Call(BaseModel):
    """One schedule: when to call what, and how long to wait for the answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    cron: str
    url: str
    seconds: float

    def next_time(self, after: datetime) -> datetime:
        """Return the first time of this schedule after a moment."""
        found: datetime = croniter(self.cron, after).get_next(datetime)
        return found


def post(call: Call) -> None:
    """Call the service once and log its answer; a failure is only logged, the next time comes anyway."""
    began = time.monotonic()
    try:
        answer = requests.post(call.url, json={}, timeout=call.seconds)
        outcome = str(answer.status_code)
    except requests.RequestException as error:
        outcome = f"failed: {error}"
    _LOG.info("%s POST %s: %s after %.1f s", call.name, call.url, outcome, time.monotonic() - began)


def keep_calling(
    call: Call,
    stopped: Event,
    send: Callable[[Call], None] = post,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], object] | None = None,
) -> None:
    """Call at every time of the schedule until stopped.

    The next time is counted from the end of a call: like Cloud Scheduler, a job never runs twice at once.
    """
    pause = pause or stopped.wait
    while not stopped.is_set():
        due = call.next_time(now())
        while not stopped.is_set() and (left := (due - now()).total_seconds()) > 0:
            pause(min(left, _LOOK_SECONDS))
        if not stopped.is_set():
            send(call)


def main() -> None:
    """Run every schedule in a thread of its own until the process is ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stopped = Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    calls = TypeAdapter(list[Call]).validate_json(sys.argv[1])
    for call in calls:
        Thread(target=keep_calling, args=(call, stopped), daemon=True).start()
        _LOG.info("%s: %s, next at %s", call.name, call.cron, call.next_time(datetime.now(UTC)))
    stopped.wait()


if __name__ == "__main__":
    main()
