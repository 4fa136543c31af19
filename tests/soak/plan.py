"""What will go wrong, as data: a pure function of the seed, so that a run can be had again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle, islice

from infra.local.virustotal.feeds import package_name

# What is killed in the middle of whatever it does; weights say how often.
KILLED = {
    "planner": 3,
    "planner-2": 1,
    "downloader": 4,
    "loader": 4,
    "loader-dead": 1,
    "merger": 3,
    "merger-2": 1,
    "secops-poll": 3,
    "secops-poll-2": 1,
    "secops-import": 4,
    "pubsub": 2,
    "storage": 3,
    "bigquery": 3,
    "virustotal": 2,
    "secops": 2,
}

# Where a service dies exactly, in its own words (tests/soak/wrappers.py) and in ours.
POINTS = {
    ("planner", "publish.after"): "minutes asked for, watermark not saved",
    ("planner", "replace.after"): "watermark saved, schedule not answered",
    ("downloader", "write.before"): "in the middle of an upload",
    ("downloader", "create.before"): "data finalised, no manifest",
    ("downloader", "publish.before"): "manifest there, not published",
    ("downloader", "publish.after"): "published, not acked",
    ("loader", "landed.after"): "landing recorded, no load job",
    ("loader", "job.after"): "load job begun",
    ("loader", "end.after"): "loaded, not in the ledger",
    ("loader", "loaded.after"): "in the ledger, not acked",
    ("merger", "merge.before"): "before the merge",
    ("merger", "merge.during"): "inside the merge",
    ("merger", "merge.after"): "merged, schedule not answered",
    ("secops-poll", "create.after"): "page written, not published",
    ("secops-poll", "publish.after"): "page published, hint not saved",
    ("secops-import", "post.before"): "lease taken, nothing posted",
    ("secops-import", "post.after"): "accepted by SecOps, not recorded",
    ("secops-import", "replace.after"): "recorded, not acked",
}

# Other bad days: what, of whom, and for how many seconds.
PUBSUB = ("duplicate", "delay", "reorder", "freeze", "refuse", "drop_answer")
SECOPS = (
    *("rate_limited", "unavailable", "internal", "not_json", "unauthorized", "forbidden", "not_found", "bad_request"),
    *("lost_answer", "late_answer", "reset", "slow"),
)
LISTS = (
    *("rate_limited", "rate_limited_html", "unavailable", "unauthorized", "forbidden", "not_json", "no_data"),
    "bad_cursor",
)
STORMS = ("unavailable", "unauthorized", "rate_limited_html", "not_json_error")
RESTORED = ("staging", "ledger")

# The deaths that every promise was made for, in half a minute; the same ones every time.
BRIEF = (
    ("point", "secops-poll.create.after"),
    ("point", "secops-import.post.after"),
    ("point", "downloader.create.before"),
    ("point", "loader.end.after"),
    ("point", "merger.merge.during"),
    ("pubsub", "duplicate"),
    ("secops", "lost_answer"),
    ("full disk", "storage"),
    ("point", "planner.publish.after"),
    ("kill", "storage"),
    ("lost backlog", "pubsub"),
    ("point", "downloader.publish.before"),
    ("killed merge", "bigquery"),
    ("lists", "rate_limited"),
)

# Faults of one package that heal after a time or two.
HEALING = (
    *("unauthorized", "rate_limited", "rate_limited_html", "unavailable", "deadline", "not_json_error"),
    *("redirect_loop", "redirect_same_host", "gzip_body", "corrupt", "cut", "trailing_garbage"),
    *("html_body", "slow", "reset", "short"),
)
# Those that belong to a package and never heal, and what must become of its minute.
LASTING = {
    **dict.fromkeys(("changed", "empty", "bad_lines", "big_line", "empty_lines", "crlf", "no_final_newline"), "merged"),
    "multi_stream": "merged",
    "direct": "merged",
    "mostly_bad": "merged",
    "forbidden": "dead",
    "bad_request": "dead",
}
_OPTIONS: dict[str, dict[str, object]] = {
    "big_line": {"size": 200_000},
    "slow": {"seconds": 2.0},
    "rate_limited": {"retry_after": 1},
    "mostly_bad": {"share": 0.6},
}
# A source that has no package 7 hours after its minute never had one (services/downloader/download.py).
_SURELY_ABSENT = timedelta(hours=8)
_SURELY_YOUNG = timedelta(hours=5)


@dataclass(frozen=True)
class Event:
    """Something happens to somebody at a second of the run, and is over after so many seconds."""

    at: float
    what: str
    whom: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Oddity:
    """A package with a fault of its own."""

    feed: str
    minute: datetime
    kind: str
    times: int | None

    def rule(self) -> dict[str, object]:
        """Return it as the simulator takes it."""
        times = {} if self.times is None else {"times": self.times}
        given = {"kind": self.kind, "feed": self.feed, "minute": package_name(self.minute)}
        return {**given, **times, **_OPTIONS.get(self.kind, {})}

    @property
    def ending(self) -> str:
        """What must become of the minute."""
        if self.times is not None:
            return "merged"
        return "absent" if self.kind == "missing" else LASTING[self.kind]


def plan_events(seed: int, *, seconds: float, kills: int, embedded: bool) -> list[Event]:
    """Return the bad days of a run: two fifths of the kills at fault points, and half as many other faults as kills."""
    draw = random.Random(f"events {seed}")  # noqa: S311 (a plan to be had again)
    at_points = kills * 2 // 5
    events = [
        *islice(_kills(draw), kills - at_points),
        *islice(_points(draw), at_points),
        *islice(_others(draw, embedded=embedded), kills // 2),
    ]
    draw.shuffle(events)
    step = (seconds - 2.0) / max(len(events), 1)
    return [
        Event(1.0 + step * number + draw.uniform(0, step / 2), event.what, event.whom, event.seconds)
        for number, event in enumerate(events)
    ]


def plan_briefly(*, seconds: float, embedded: bool) -> list[Event]:
    """Return the plan of the short form."""
    chosen = [(what, whom) for what, whom in BRIEF if embedded or what != "pubsub"]
    step = seconds / len(chosen)
    return [Event(step * number, what, whom, 2.0) for number, (what, whom) in enumerate(chosen)]


def _kills(draw: random.Random) -> Iterator[Event]:
    once_each = list(KILLED)
    draw.shuffle(once_each)
    yield from (Event(0, "kill", whom, draw.uniform(0, 2)) for whom in once_each)
    while True:
        [whom] = draw.choices(list(KILLED), list(KILLED.values()))
        yield Event(0, "kill", whom, draw.uniform(0, 2))


def _points(draw: random.Random) -> Iterator[Event]:
    places = [f"{service}.{place}" for service, place in POINTS]
    draw.shuffle(places)
    yield from (Event(0, "point", place) for place in cycle(places))


def _others(draw: random.Random, *, embedded: bool) -> Iterator[Event]:
    kinds = [
        *(Event(0, "secops", kind) for kind in SECOPS),
        *(Event(0, "lists", kind) for kind in LISTS),
        *(Event(0, "storm", kind, 3.0) for kind in STORMS),
        *(Event(0, "pubsub", kind, 4.0) for kind in PUBSUB if embedded),
        *(Event(0, "planner clock", str(minutes), 3.0) for minutes in (-55, 40)),
        *(
            Event(0, "source clock", "-200", 3.0),
            Event(0, "lost backlog", "pubsub"),
            Event(0, "killed merge", "bigquery"),
        ),
        *(Event(0, "full disk", "storage", 3.0), Event(0, "read-only", "storage", 3.0)),
        *(Event(0, "paused", whom, 3.0) for whom in ("downloader", "loader", "secops-import", "storage", "bigquery")),
        *(Event(0, "restored", table) for table in RESTORED),
    ]
    draw.shuffle(kinds)
    yield from cycle(kinds)


def plan_oddities(seed: int, feeds: tuple[str, ...], minutes: list[datetime], now: datetime) -> list[Oddity]:
    """Return faults of packages: about a quarter of the minutes has one, and every kind comes in turn."""
    draw = random.Random(f"packages {seed}")  # noqa: S311
    everything = [(feed, minute) for feed in feeds for minute in minutes]
    kinds = [*HEALING, *LASTING, "missing"]
    draw.shuffle(kinds)
    chosen = draw.sample(everything, len(everything) // 4)
    return [
        oddity
        for (feed, minute), kind in zip(chosen, cycle(kinds), strict=False)
        if (oddity := _oddity(draw, feed, minute, kind, now - minute))
    ]


def _oddity(draw: random.Random, feed: str, minute: datetime, kind: str, age: timedelta) -> Oddity | None:
    if kind == "missing":
        if _SURELY_YOUNG < age < _SURELY_ABSENT:
            return None
        return Oddity(feed, minute, kind, None if age >= _SURELY_ABSENT else 1)
    return Oddity(feed, minute, kind, draw.randint(1, 2) if kind in HEALING else None)
