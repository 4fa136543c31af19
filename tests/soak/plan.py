"""The planned faults as data: a pure function of the seed, so that a run can be repeated."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import NamedTuple

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
    ("merger", "merge.after"): "merged, nothing folded, schedule not answered",
    ("merger", "fold.during"): "inside the fold",
    ("merger", "fold.after"): "folded, schedule not answered",
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
    *("html", "error_body", "aborted", "cancelled", "too_large", "service_disabled", "not_found_html"),
    *("lost_answer", "late_answer", "reset", "slow"),
)
LISTS = (
    *("rate_limited", "rate_limited_html", "unavailable", "unauthorized", "forbidden", "not_json", "no_data"),
    *("bad_cursor", "content_encoding", "proxy", "no_message", "not_available_yet"),
    *("no_success", "timed_out"),
)
# Of the list of alerts alone: a refusal pauses it, and a refused cursor starts it over.
ALERTS = ("forbidden", "rate_limited", "bad_cursor")
STORMS = ("unavailable", "unauthorized", "forbidden", "rate_limited_html", "not_json_error", "proxy", "storage_error")
RESTORED = ("staging", "ledger")
# Of load jobs: BigQuery's rate limits, and a job that cannot be read yet.
JOBS = ("refused", "limited", "unseen")

# The deaths that every promise was made for, in half a minute; the same ones every time.
BRIEF = (
    ("point", "secops-poll.create.after"),
    ("point", "secops-import.post.after"),
    ("point", "downloader.create.before"),
    ("point", "loader.end.after"),
    ("point", "merger.merge.during"),
    ("point", "merger.fold.during"),
    ("pubsub", "duplicate"),
    ("secops", "lost_answer"),
    ("full disk", "storage"),
    ("point", "planner.publish.after"),
    ("kill", "storage"),
    ("lost backlog", "pubsub"),
    ("point", "downloader.publish.before"),
    ("killed merge", "bigquery"),
    ("lists", "rate_limited"),
    ("lists", "no_success"),
    ("alerts", "forbidden"),
    ("load jobs", "limited"),
)

# Faults of one package that heal after a time or two.
HEALING = (
    *("unauthorized", "forbidden", "rate_limited", "rate_limited_html", "unavailable", "deadline", "not_json_error"),
    *("redirect_loop", "redirect_same_host", "gzip_body", "corrupt", "cut", "trailing_garbage"),
    *("html_body", "slow", "reset", "short", "storage_error", "proxy", "not_available_yet", "no_message"),
    # A verdict of the API's own that was wrong: the minute is dead, and asked for again.
    "bad_request",
)
# Those that belong to a package and never heal, and what must become of its minute.
LASTING = {
    **dict.fromkeys(("changed", "empty", "bad_lines", "big_line", "empty_lines", "crlf", "no_final_newline"), "merged"),
    **dict.fromkeys(("multi_stream", "direct", "redirect_encoded"), "merged"),
    **dict.fromkeys(("byte_order_mark", "trailing_padding", "content_encoding"), "merged"),
    "mostly_bad": "merged",
}
_OPTIONS: dict[str, dict[str, object]] = {
    # Beyond a mebibyte a line is checked in another way.
    "big_line": {"size": 1_200_000},
    "trailing_padding": {"count": 512},
    "slow": {"seconds": 2.0},
    "rate_limited": {"retry_after": 1},
    "mostly_bad": {"share": 0.6},
}
# Faults of one list in an hour: those that heal, and those that never do and leave the list out or without indicators.
LISTS_HEALING = (
    *("rate_limited", "truncated", "not_available_yet", "rate_limited_html", "unavailable", "deadline"),
    *("unauthorized", "not_json_error", "proxy", "no_message", "bad_request"),
)
LISTS_LASTING = ("null", "forbidden", "empty", "missing")
# Of storms those that are not about a list: by a 403 or a 404 of the source itself a list is left out.
LISTS_STORMS = ("unavailable", "unauthorized", "rate_limited_html", "not_json_error", "proxy")
# Who is taken for the source's own word with one of these would make a minute absent, dead or a feed unlicensed.
_STATUSES = {
    "proxy": (403, 404, 408, 425, 429, 499),
    "storage_error": (400, 401, 403, 404, 408, 410, 412),
}
# A source that has no package 7 hours after its minute never had one (services/downloader/download.py).
_SURELY_ABSENT = timedelta(hours=8)
_SURELY_YOUNG = timedelta(hours=5)
# The same of a list: six hours after the lag of its hour.
_SURELY_WITHOUT = timedelta(hours=10)


@dataclass(frozen=True)
class Event:
    """An event at a second of the run, with a duration in seconds."""

    at: float
    what: str
    whom: str = ""
    seconds: float = 0.0


class Past(NamedTuple):
    """A past hour of a feed."""

    feed: str
    hour: datetime


@dataclass(frozen=True)
class Oddity:
    """A package with a fault of its own."""

    feed: str
    minute: datetime
    kind: str
    times: int | None
    status: int | None = None

    def rule(self) -> dict[str, object]:
        """Return the fault in the simulator's format."""
        given = {"kind": self.kind, "feed": self.feed, "minute": package_name(self.minute)}
        chosen = {"times": self.times, "status": self.status}
        return {
            **given,
            **{name: one for name, one in chosen.items() if one is not None},
            **_OPTIONS.get(self.kind, {}),
        }

    @property
    def ending(self) -> str:
        """The expected state of the minute."""
        if self.times is not None:
            return "merged"
        return "absent" if self.kind == "missing" else LASTING[self.kind]


@dataclass(frozen=True)
class ListOddity:
    """A threat list with a fault in one hour."""

    name: str
    hour: datetime
    kind: str
    times: int | None

    def rule(self) -> dict[str, object]:
        """Return the fault in the simulator's format."""
        given = {"kind": self.kind, "list": self.name, "hour": f"{self.hour:%Y%m%d%H}", **_OPTIONS.get(self.kind, {})}
        return given if self.times is None else {**given, "times": self.times}


def plan_events(seed: int, *, seconds: float, kills: int, embedded: bool) -> list[Event]:
    """Return the faults of a run: two fifths of the kills at fault points, and half as many other faults as kills."""
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
        *(Event(0, "lists", kind, 3.0) for kind in LISTS),
        *(Event(0, "alerts", kind, 3.0) for kind in ALERTS),
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
        *(Event(0, "load jobs", kind) for kind in JOBS),
    ]
    draw.shuffle(kinds)
    yield from cycle(kinds)


def plan_oddities(seed: int, feeds: tuple[str, ...], minutes: list[datetime], now: datetime) -> list[Oddity]:
    """Return faults of packages: about a quarter of the minutes has one, and the kinds alternate."""
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


def plan_list_oddities(seed: int, lists: tuple[str, ...], hours: list[datetime], now: datetime) -> list[ListOddity]:
    """Return a fault of one list for every hour; the kinds alternate, a kind that heals and one that lasts."""
    draw = random.Random(f"lists {seed}")  # noqa: S311
    pairs = zip(cycle(LISTS_HEALING), cycle(LISTS_LASTING), strict=False)
    kinds = (kind for pair in pairs for kind in pair)
    return [
        ListOddity(draw.choice(lists), hour, kind, draw.randint(1, 2) if kind in LISTS_HEALING else None)
        for hour, kind in zip(hours, kinds, strict=False)
        # An hour waits for a list that is missing until it is old.
        if kind != "missing" or now - hour > _SURELY_WITHOUT
    ]


def _oddity(draw: random.Random, feed: str, minute: datetime, kind: str, age: timedelta) -> Oddity | None:
    if kind == "missing":
        if _SURELY_YOUNG < age < _SURELY_ABSENT:
            return None
        return Oddity(feed, minute, kind, None if age >= _SURELY_ABSENT else 1)
    status = draw.choice(_STATUSES[kind]) if kind in _STATUSES else None
    return Oddity(feed, minute, kind, draw.randint(1, 2) if kind in HEALING else None, status)
