"""`gti-mesh replay`: ask for a range of minutes again, and follow them to merged."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from rich.console import Console

from services.console.coverage import read_coverage
from services.console.follow import Reached, bars, follow, reached
from services.console.mesh import Mesh
from services.console.trigger import trigger
from shared.asking import BadRangeError, ask, replay_range
from shared.feeds.definition import find_feed
from shared.minutes import minutes_between

# A day of one feed; more is asked for on purpose only.
MANY = 1440


def wanted_minutes(
    mesh: Mesh, feed: str, first: datetime | None, last: datetime | None, *, gaps: bool
) -> list[datetime]:
    """Return the minutes of a range, both ends included, or of every gap; raise BadRangeError for what cannot come."""
    definition = find_feed(feed)
    if feed not in mesh.settings.feeds:
        on = ", ".join(mesh.settings.feeds) or "none"
        raise BadRangeError(f"feed {feed!r} is not switched on; FEEDS has: {on}")
    now = datetime.now(UTC)
    if gaps:
        found = read_coverage(mesh, definition, now).gaps(now)
        return [minute for gap in found for minute in minutes_between(gap.first, gap.last)]
    if first is None or last is None:
        raise BadRangeError("name the first and the last minute, or say --gaps")
    return replay_range(feed, first, last, now=now, bucket=lambda: mesh.bucket)


def replay(mesh: Mesh, feed: str, minutes: Sequence[datetime], *, force: bool = False) -> None:
    """Publish a request for each minute; return once Pub/Sub holds every one."""
    ask(mesh.publisher, feed, minutes, reason="replay", force=force)


def follow_replay(mesh: Mesh, feed: str, minutes: Sequence[datetime], after: datetime, console: Console) -> Reached:
    """Show a replay's progress until every minute is merged, absent or dead.

    In the cloud the schedule merges; a local mesh is asked to whenever everything is loaded.
    """
    look = {feed: partial(reached, mesh, feed, minutes, after)}
    with bars(console) as stages:
        while mesh.endpoints:
            if follow(look, lambda now: now.all_loaded, show=stages.show)[feed].done:
                break
            trigger(mesh.endpoints, "merger")
        return follow(look, lambda now: now.done, show=stages.show)[feed]
