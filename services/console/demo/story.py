"""The bad day: what goes wrong in the demo, in the order in which a reader should hear of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.local.virustotal.client import SimulatorControl
from infra.local.virustotal.feeds import package_name
from shared.messages import FEED_MINUTES, MinuteRequested
from shared.ports import Outgoing, Publisher

# Seconds in a minute are what no feed has; the message can never succeed.
POISON = b'{"feed":"domains","minute":"2026-11-21T14:10:30Z"}'


@dataclass(frozen=True)
class Mishap:
    """One thing that goes wrong, for one minute of a feed or for a share of all."""

    text: str
    kind: str
    minute: datetime | None = None
    times: int | None = None
    rate: float | None = None
    options: tuple[tuple[str, int], ...] = ()

    def rule(self) -> dict[str, object]:
        """Return the mishap as the simulator takes it."""
        return {
            "kind": self.kind,
            **({"minute": package_name(self.minute)} if self.minute else {}),
            **({"times": self.times} if self.times else {}),
            **({"rate": self.rate} if self.rate else {}),
            **dict(self.options),
        }


def mishaps(minutes: Sequence[datetime], missing: datetime | None) -> Iterator[Mishap]:
    """Yield what goes wrong; each minute but the first and the last has at most one mishap of its own.

    The planner may begin a minute later than expected, so the first minute is left out.
    """
    yield Mishap("503 storm: a third of the minutes are refused twice", "unavailable", times=2, rate=0.33)
    own = iter(minutes[1:-1])
    scripts = (
        ("429 without a word on when to come back", "rate_limited_html", 1, ()),
        ("a package cut in the middle", "cut", 1, ()),
        ("a package of several bzip2 streams", "multi_stream", None, ()),
        ("two bad lines in a package", "bad_lines", None, (("count", 2),)),
        ("a connection reset in the middle of a body", "reset", 1, ()),
        ("a package without lines", "empty", None, ()),
        ("a last line without its newline", "no_final_newline", None, ()),
    )
    for (text, kind, times, options), minute in zip(scripts, own, strict=False):
        yield Mishap(f"{minute:%H:%M} {text}", kind, minute, times, options=options)
    if missing:
        yield Mishap(f"{missing:%H:%M} a minute that the source never had", "missing", missing)


def script(control: SimulatorControl, minutes: Sequence[datetime], missing: datetime | None) -> list[str]:
    """Put the mishaps in force and return them in words."""
    day = list(mishaps(minutes, missing))
    control.set_faults(*(mishap.rule() for mishap in day))
    return [mishap.text for mishap in day]


def disturb(publisher: Publisher, feed: str, minute: datetime) -> list[str]:
    """Publish what should never have been published, and return it in words."""
    again = MinuteRequested(feed=feed, minute=minute, reason="schedule")
    publisher.publish(FEED_MINUTES, [Outgoing(again.body(), again.attributes()), Outgoing(POISON)])
    return [
        f"{minute:%H:%M} a message delivered twice",
        "a poison message: a minute with seconds in it",
        "older versions that arrive after newer ones, equal versions, ids twice in a minute",
    ]
