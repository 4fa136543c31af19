"""The current status of the streams: delivered, waiting and given-up pages, and the commands that repair them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.operations.feed_conditions import FeedCondition
from shared.operations.health import DELIVERY_OVERDUE
from shared.operations.open_dead_letters import DeadLetterRecord, remedy
from shared.operations.problems import Problem
from shared.operations.stream_log import LoggedPage, StreamLog, Unit
from shared.streams.landing_log import hour_of

State = Literal["delivered", "in hand", "waiting", "given up"]


@dataclass(frozen=True)
class PageRun:
    """Pages that are not delivered for the same kind of reason, of which `reason` is the newest.

    first and last are numbers of the log, with `pages` of those between them; notifications is the known number.
    """

    stream: str
    first: int
    last: int
    pages: int
    state: State
    notifications: int
    landed: datetime
    overdue: bool
    reason: str | None
    remedy: str
    error_type: str | None = None
    unit: Unit = "page"

    def problem(self) -> Problem:
        """Return them as one problem."""
        first, last = (_number(self.unit, number) for number in (self.first, self.last))
        which = f"{self.unit} {first}" if self.pages == 1 else f"{self.unit}s {first} to {last}"
        if self.pages < self.last - self.first + 1 and self.pages > 1:
            which = f"{self.pages} {self.unit}s between {first} and {last}"
        held = f"{self.notifications} {'notifications' if self.unit == 'page' else 'elements'}"
        return Problem(f"{self.stream}: {which} ({held}) not delivered since {self.landed:%m-%d %H:%MZ}", self.remedy)


@dataclass(frozen=True)
class StreamStatus:
    """One stream over the source's retention of seven days, or over its newest pages."""

    stream: str
    pages: Mapping[str, int]
    notifications: int
    delivered: int
    waiting: int
    given_up: int
    requests: int
    first_date: datetime | None
    last_date: datetime | None
    last_landed: datetime | None
    freshness_minutes: int | None
    held_until: datetime | None
    undelivered: Sequence[PageRun]
    hours: Sequence[tuple[datetime, int, int]]
    condition: FeedCondition | None = None
    source: FeedCondition | None = None
    pass_began: datetime | None = None
    trouble: Sequence[Problem] = ()
    unit: Unit = "page"

    def problems(self) -> Iterator[Problem]:
        """Yield the problems that make this stream degraded; given-up pages are reported as dead letters."""
        yield from self.conditions()
        for run in self.unexplained():
            if run.overdue:
                yield run.problem()

    def conditions(self) -> Iterator[Problem]:
        """Yield problems of the stream as a whole."""
        yield from self.trouble

    def unexplained(self) -> Sequence[PageRun]:
        """Return the pages not delivered, without those that only wait for the end of the stream's condition."""
        blocked = self.condition is not None and self.condition.blocks
        return [run for run in self.undelivered if not (blocked and run.state == "waiting")]

    def report(self) -> dict[str, object]:
        """Return the status for the JSON report."""
        problems = [str(problem) for problem in self.problems()]
        return {**self.facts(), "undelivered": [vars(run) for run in self.undelivered], "problems": problems}

    def facts(self) -> dict[str, object]:
        """Return all but the problems, for JSON."""
        facts = {name: value for name, value in vars(self).items() if name not in ("trouble", "undelivered")}
        errors = {"condition": self.condition, "source": self.source}
        dumped = {name: error.model_dump() if error else None for name, error in errors.items()}
        hours = [{"hour": hour, "notifications": landed, "given_up": dead} for hour, landed, dead in self.hours]
        return {**facts, **dumped, "hours": hours}


def stream_status(log: StreamLog, dead_letters: Sequence[DeadLetterRecord], now: datetime) -> StreamStatus:
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
        last_landed=log.newest.landed if log.newest else None,
        freshness_minutes=int((now - log.newest.landed) / timedelta(minutes=1)) if log.newest else None,
        held_until=max(held, default=None),
        undelivered=tuple(_runs(log, dead_letters, now)),
        hours=tuple(_hours(log.pages)),
        condition=log.condition,
        source=log.source,
        pass_began=log.pass_began,
        trouble=(*log.problems, *_conditions(log, now)),
        unit=log.unit,
    )


def _conditions(log: StreamLog, now: datetime) -> Iterator[Problem]:
    if log.source:
        what = "no pass has ended" if log.source.error_type == "pass_too_long" else "VirusTotal gives nothing"
        yield from log.source.problems(f"{log.stream}: {what}", now)
    if log.condition:
        yield from log.condition.problems(f"{log.stream}: SecOps takes nothing", now)


def _state(page: LoggedPage, now: datetime) -> State:
    if page.delivery is None:
        return "waiting"
    if page.done:
        return "delivered"
    if page.delivery.held_until and page.delivery.held_until > now:
        return "in hand"
    return "given up" if page.delivery.reason else "waiting"


def _runs(log: StreamLog, dead_letters: Sequence[DeadLetterRecord], now: datetime) -> Iterator[PageRun]:
    """Yield the undelivered pages by kind: pages with the same state and type of error are one run."""
    letters = {letter.uri: letter for letter in reversed(dead_letters) if letter.uri}
    kinds: dict[tuple[object, ...], list[_Undelivered]] = {}
    for page in log.pages:
        one = _Undelivered(page, _state(page, now), letters.get(page.uri))
        if one.state != "delivered":
            kinds.setdefault(one.kind(now), []).append(one)
    return (_run(log, kind, now) for kind in kinds.values())


@dataclass(frozen=True)
class _Undelivered:
    page: LoggedPage
    state: State
    letter: DeadLetterRecord | None

    def kind(self, now: datetime) -> tuple[object, ...]:
        letter = self.letter
        return (self.shown, self.is_overdue(now), letter and (letter.error_type, letter.action))

    def is_overdue(self, now: datetime) -> bool:
        return self.state == "waiting" and self.letter is None and now - self.page.landed > DELIVERY_OVERDUE

    @property
    def shown(self) -> State:
        return "given up" if self.letter and self.state == "waiting" else self.state

    @property
    def reason(self) -> str | None:
        if self.letter:
            return self.letter.reason
        return self.page.delivery.reason if self.page.delivery else None

    @property
    def notifications(self) -> int:
        return self.page.delivery.items - self.page.delivery.accepted if self.page.delivery else 0


def _run(log: StreamLog, kind: Sequence[_Undelivered], now: datetime) -> PageRun:
    first, last = kind[0], kind[-1]
    letters = [one.letter for one in reversed(kind) if one.letter]
    return PageRun(
        stream=log.stream,
        first=first.page.sequence,
        last=last.page.sequence,
        pages=len(kind),
        state=first.shown,
        notifications=sum(one.notifications for one in kind),
        landed=first.page.landed,
        overdue=first.is_overdue(now),
        reason=last.reason,
        # What is delivered between them is not sent twice.
        remedy=remedy(letters)
        if letters
        else replay_command(log.stream, log.unit, first.page.sequence, last.page.sequence),
        error_type=last.letter.error_type if last.letter else None,
        unit=log.unit,
    )


def _number(unit: Unit, number: int) -> str:
    return str(number) if unit == "page" else f"{hour_of(number):%Y-%m-%dT%H:%MZ}"


def written(unit: Unit, number: int) -> str:
    """Return the name of a page or an hour for people."""
    return f"{unit} {_number(unit, number)}"


def replay_command(stream: str, unit: Unit, first: int, last: int) -> str:
    """Return the command that delivers a range again."""
    return f"gti-mesh secops replay {stream} {_number(unit, first)} {_number(unit, last)}"


def _hours(pages: Sequence[LoggedPage]) -> Iterator[tuple[datetime, int, int]]:
    """Yield the hours in which pages landed: how many notifications, and how many of them were given up."""
    landed: Counter[datetime] = Counter()
    dead: Counter[datetime] = Counter()
    for page in pages:
        hour = page.landed.replace(minute=0, second=0, microsecond=0)
        landed[hour] += page.delivery.items if page.delivery else 0
        dead[hour] += page.delivery.dead if page.delivery else 0
    return ((hour, landed[hour], dead[hour]) for hour in sorted(landed))
