"""The scripted failures of the demo, in the order in which they are printed."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.local.virustotal.client import SimulatorControl
from infra.local.virustotal.feeds import package_name
from shared.contracts.interfaces import Outgoing, Publisher
from shared.contracts.messages import FEED_MINUTES, MinuteRequested

# No minute of a feed has seconds, so the message can never succeed.
POISON = b'{"feed":"domains","minute":"2026-11-21T14:10:30Z"}'


def mishaps(minutes: Sequence[datetime], missing: datetime | None) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield each failure's description and rule; each minute except the first and last has at most one.

    The planner may begin a minute later than expected, so the first minute is left out.
    """
    yield "503 storm: a third of the minutes are refused twice", {"kind": "unavailable", "times": 2, "rate": 0.33}
    scripts: tuple[tuple[str, dict[str, object]], ...] = (
        ("429 without Retry-After", {"kind": "rate_limited_html", "times": 1}),
        ("a truncated package", {"kind": "cut", "times": 1}),
        ("a package of several bzip2 streams", {"kind": "multi_stream"}),
        ("two bad lines in a package", {"kind": "bad_lines", "count": 2}),
        ("a connection reset in the middle of a body", {"kind": "reset", "times": 1}),
        ("a package without lines", {"kind": "empty"}),
        ("a last line without its newline", {"kind": "no_final_newline"}),
        ("a line of 3 MB", {"kind": "big_line", "size": 3_000_000}),
        ("a byte order mark before the first line", {"kind": "byte_order_mark"}),
        ("NUL bytes after the package", {"kind": "trailing_padding", "count": 512}),
        ("a package with an unrequested gzip encoding", {"kind": "content_encoding"}),
    )
    for (text, rule), minute in zip(scripts, minutes[1:-1], strict=False):
        yield f"{minute:%H:%M} {text}", {**rule, "minute": package_name(minute)}
    if missing:
        rule = {"kind": "missing", "minute": package_name(missing)}
        yield f"{missing:%H:%M} a minute that the source never had", rule


def script(control: SimulatorControl, minutes: Sequence[datetime], missing: datetime | None) -> list[str]:
    """Inject the failures and return their descriptions."""
    day = list(mishaps(minutes, missing))
    control.set_faults(*(rule for _, rule in day))
    return [text for text, _ in day]


def disturb(publisher: Publisher, feed: str, minute: datetime) -> list[str]:
    """Publish invalid messages, and return their descriptions."""
    again = MinuteRequested(feed=feed, minute=minute, reason="schedule")
    publisher.publish(again, Outgoing(FEED_MINUTES, POISON))
    return [
        f"{minute:%H:%M} a message delivered twice",
        "a poison message: a minute with seconds in it",
        "older versions that arrive after newer ones, equal versions, ids twice in a minute",
    ]
