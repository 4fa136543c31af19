"""Cloud Scheduler on one machine: `python -m infra.local.scheduler CALLS`, where CALLS is a JSON list of calls."""

import logging
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from threading import Event, Thread

import requests
from croniter import croniter
from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.contracts.minutes import utc_now

_LOG = logging.getLogger("scheduler")
# The clock is checked this often, so that the scheduler resumes quickly after a machine has slept.
_LOOK_SECONDS = 1.0


class Call(BaseModel):
    """One schedule: when to call which address, and the timeout."""

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
    """Call the service once and log the response; failures are only logged."""
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
    now: Callable[[], datetime] = utc_now,
    elapsed: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] | None = None,
) -> None:
    """Call at every time of the schedule until stopped.

    The next time is counted from the end of a call: like Cloud Scheduler, a job never runs twice at once. A call is due
    when the clock says so, or when as many seconds have passed: the clock can be set back, and `elapsed` seconds do not
    count while a machine sleeps.
    """
    pause = pause or stopped.wait
    while not stopped.is_set():
        began = now()
        due = call.next_time(began)
        end = elapsed() + (due - began).total_seconds()
        while not stopped.is_set() and (left := min((due - now()).total_seconds(), end - elapsed())) > 0:
            pause(min(left, _LOOK_SECONDS))
        if not stopped.is_set():
            send(call)


def main() -> None:
    """Run every schedule in its own thread until the process ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stopped = Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    calls = TypeAdapter(list[Call]).validate_json(sys.argv[1])
    for call in calls:
        Thread(target=keep_calling, args=(call, stopped), daemon=True).start()
        _LOG.info("%s: %s, next at %s", call.name, call.cron, call.next_time(utc_now()))
    stopped.wait()


if __name__ == "__main__":
    main()
