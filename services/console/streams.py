"""The streams at one moment: what is delivered, what waits, what was given up, and the command for the rest."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from services.console.dead import Death, remedy
from services.console.stream_log import LoggedPage, StreamLog

State = Literal["delivered", "in hand", "waiting", "given up"]
# Beyond SecOps' own retries and several rounds of backoff; a burst limit can hold a page for minutes.
_DELIVERY_OVERDUE = timedelta(minutes=30)


@dataclass(frozen=True)
class PageRun:
    """Pages in a row that are not delivered, for one reason; notifications counts those that are known."""

    stream: str
    first: int
    last: int
    state: State
    notifications: int
    landed: datetime
    overdue: bool
    reason: str | None
    remedy: str

    @property
    def pages(self) -> int:
        """How many pages these are."""
        return self.last - self.first + 1

    def problem(self) -> str:
        """Say what is wrong, in a line."""
        which = f"page {self.first}" if self.pages == 1 else f"pages {self.first} to {self.last}"
        held = f"{self.notifications} notifications"
        return f"{self.stream}: {which} ({held}) not delivered since {self.landed:%m-%d %H:%MZ}"


@dataclass(frozen=True)
class StreamStatus:
    """One stream over the seven days that the source keeps, or over the newest pages of them."""

    stream: str
    pages: Mapping[str, int]
    notifications: int
    delivered: int
    waiting: int
    given_up: int
    requests: int
    first_date: datetime | None
    last_date: datetime | None
    last_landed: datetime
    freshness_minutes: int
    held_until: datetime | None
    undelivered: Sequence[PageRun]
    hours: Sequence[tuple[datetime, int, int]]

    def problems(self) -> Iterator[str]:
        """Yield what makes this stream degraded; of what was given up a dead letter tells."""
        for run in self.undelivered:
            if run.overdue:
                yield f"{run.problem()}; {run.remedy}"

    def report(self) -> dict[str, object]:
        """Return the status as JSON has it."""
        runs = [{**vars(run), "pages": run.pages} for run in self.undelivered]
        hours = [{"hour": hour, "notifications": landed, "given_up": dead} for hour, landed, dead in self.hours]
        return {**vars(self), "undelivered": runs, "hours": hours, "problems": list(self.problems())}


def stream_status(log: StreamLog, deaths: Sequence[Death], now: datetime) -> StreamStatus:
    """Return the status of a stream from the end of its log."""
    known = [page.delivery for page in log.pages if page.delivery]
    notifications, delivered = sum(one.items for one in known), sum(one.accepted for one in known)
    given_up = sum(one.dead for one in known)
    held = [one.held_until for one in known if one.held_until and one.held_until > now]
    return StreamStatus(
        stream=log.stream,
        pages=dict(Counter(_state(page, now) for page in log.pages)),
        notifications=notifications,
        delivered=delivered,
        waiting=notifications - delivered - given_up,
        given_up=given_up,
        requests=sum(one.requests for one in known),
        first_date=log.first_date,
        last_date=log.last_date,
        last_landed=log.newest.landed,
        freshness_minutes=int((now - log.newest.landed) / timedelta(minutes=1)),
        held_until=max(held, default=None),
        undelivered=tuple(_runs(log, deaths, now)),
        hours=tuple(_hours(log.pages)),
    )


def _state(page: LoggedPage, now: datetime) -> State:
    if page.delivery is None:
        return "waiting"
    if page.done:
        return "delivered"
    if page.delivery.held_until and page.delivery.held_until > now:
        return "in hand"
    return "given up" if page.delivery.reason else "waiting"


def _runs(log: StreamLog, deaths: Sequence[Death], now: datetime) -> Iterator[PageRun]:
    """Yield pages that are not delivered; neighbours in the same state, with the same reason, are one."""
    letters = {death.uri: death for death in deaths if death.uri}
    run: PageRun | None = None
    for page in log.pages:
        here = _run(log.stream, page, letters.get(page.uri), now)
        if run and here and _continues(run, here):
            run = _joined(run, here)
            continue
        if run:
            yield run
        run = here
    if run:
        yield run


def _run(stream: str, page: LoggedPage, letter: Death | None, now: datetime) -> PageRun | None:
    state = _state(page, now)
    if state == "delivered":
        return None
    reason = letter.reason if letter else page.delivery.reason if page.delivery else None
    return PageRun(
        stream=stream,
        first=page.sequence,
        last=page.sequence,
        state="given up" if letter and state == "waiting" else state,
        notifications=page.delivery.items - page.delivery.accepted if page.delivery else 0,
        landed=page.landed,
        overdue=state == "waiting" and letter is None and now - page.landed > _DELIVERY_OVERDUE,
        reason=reason,
        remedy=remedy([letter]) if letter else _replay(stream, page.sequence, page.sequence),
    )


def _continues(run: PageRun, here: PageRun) -> bool:
    # Each letter is handed back by its own id.
    replayed = here.remedy.startswith("gti-mesh secops") and run.remedy.startswith("gti-mesh secops")
    same = (run.state, run.overdue, run.reason) == (here.state, here.overdue, here.reason)
    return replayed and same and here.first == run.last + 1


def _joined(run: PageRun, here: PageRun) -> PageRun:
    together = run.notifications + here.notifications
    return replace(run, last=here.last, notifications=together, remedy=_replay(run.stream, run.first, here.last))


def _replay(stream: str, first: int, last: int) -> str:
    return f"gti-mesh secops replay {stream} {first} {last}"


def _hours(pages: Sequence[LoggedPage]) -> Iterator[tuple[datetime, int, int]]:
    """Yield the hours in which pages landed: how many notifications, and how many of them were given up."""
    landed: Counter[datetime] = Counter()
    dead: Counter[datetime] = Counter()
    for page in pages:
        hour = page.landed.replace(minute=0, second=0, microsecond=0)
        landed[hour] += page.delivery.items if page.delivery else 0
        dead[hour] += page.delivery.dead if page.delivery else 0
    return ((hour, landed[hour], dead[hour]) for hour in sorted(landed))
