"""`gti-mesh replay`: ask for a range of minutes again, and follow them to merged."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console

from services.console.follow import Reached, bars, follow, reached
from services.console.mesh import Mesh
from services.console.trigger import trigger
from shared.asking import BadRangeError, ask, replay_range
from shared.feeds.definition import find_feed

# The ledger's times come from other machines' clocks.
_SKEW = timedelta(seconds=5)


def replay(mesh: Mesh, feed: str, first: datetime, last: datetime, *, force: bool = False) -> list[datetime]:
    """Publish a range, both ends inclusive, and return its minutes once Pub/Sub holds every request."""
    find_feed(feed)
    if feed not in mesh.settings.feeds:
        on = ", ".join(mesh.settings.feeds) or "none"
        raise BadRangeError(f"feed {feed!r} is not switched on; FEEDS has: {on}")
    minutes = replay_range(feed, first, last, now=datetime.now(UTC), bucket=lambda: mesh.bucket)
    ask(mesh.publisher, feed, minutes, reason="replay", force=force)
    return minutes


def follow_replay(mesh: Mesh, feed: str, minutes: Sequence[datetime], since: datetime, console: Console) -> Reached:
    """Show a replay's progress until every minute is merged, absent or dead.

    In the cloud the schedule merges; a local mesh is asked to as soon as everything is loaded.
    """

    def look() -> Reached:
        return reached(mesh, feed, minutes, since - _SKEW)

    with bars(console) as stages:
        if mesh.endpoints:
            follow({feed: look}, lambda now: now.all_loaded, show=stages.show)
            trigger(mesh.endpoints, "merger")
        return follow({feed: look}, lambda now: now.done, show=stages.show)[feed]
