"""`gti-mesh replay`: request minutes again, and follow them until merged."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from rich.console import Console

from shared.contracts.minute_requests import ask, replay_range
from shared.contracts.minutes import utc_now
from shared.feeds.switched_on import require_switched_on
from shared.gcp.history import history_days
from shared.operations.accepted_replays import AcceptedReplays
from shared.operations.coverage import read_coverages
from shared.operations.follow import Reached, bars, follow, latest_event, reached
from shared.operations.gaps import minutes_to_replay
from shared.operations.mesh import Mesh

# A day of one feed; more needs confirmation.
MANY = 1440
# Minutes a second at today's volume: in the cloud what one staging table takes (docs/scale.md), on one machine what was
# measured with the simulator (docs/performance.md).
_PACE_IN_THE_CLOUD = 4.5
_PACE_ON_ONE_MACHINE = 10.0
# A local mesh's merger may be busy, or a minute may be loaded while it merges.
_MERGE_AGAIN_SECONDS = 10.0

Wanted = Mapping[str, Sequence[datetime]]


def wanted_minutes(mesh: Mesh, feed: str, first: datetime, last: datetime) -> list[datetime]:
    """Return the minutes of a range, both ends included; raise BadRangeError for impossible ones."""
    definition = mesh.settings.feed(feed)
    require_switched_on("feed", feed, mesh.settings.feeds)
    return replay_range(
        feed,
        first,
        last,
        now=utc_now(),
        bucket=lambda: mesh.bucket,
        history_days=lambda: history_days(mesh.warehouse, mesh.dataset, definition),
        period=definition.every(),
    )


def missing_minutes(mesh: Mesh, feed: str | None) -> dict[str, list[datetime]]:
    """Return the minutes of gaps that can be repaired, by feed; a feed without any is left out."""
    feeds = mesh.settings.feed_definitions()
    if feed is not None:
        feeds = (mesh.settings.feed(feed),)
        require_switched_on("feed", feed, mesh.settings.feeds)
    now = utc_now()
    minutes = {one.feed: minutes_to_replay(one.gaps(now)) for one in read_coverages(mesh, feeds, now)}
    return {name: found for name, found in minutes.items() if found}


def time_to_load(mesh: Mesh, wanted: Wanted) -> timedelta:
    """Return how long it takes to load the minutes, roughly; in the cloud every feed has a table of its own."""
    counts = [len(minutes) for minutes in wanted.values()]
    if mesh.settings.pubsub_emulator:
        return timedelta(seconds=sum(counts) / _PACE_ON_ONE_MACHINE)
    return timedelta(seconds=max(counts, default=0) / _PACE_IN_THE_CLOUD)


def replay(mesh: Mesh, feed: str, minutes: Sequence[datetime], *, force: bool = False) -> None:
    """Record a replay and publish a request for each minute; return once Pub/Sub has accepted all of them."""
    AcceptedReplays(mesh.bucket).accept(feed, minutes, utc_now())
    ask(mesh.publisher, feed, minutes, reason="replay", force=force)


def latest_events(mesh: Mesh, wanted: Wanted) -> dict[str, datetime]:
    """Return the time of each feed's newest ledger event of these minutes: what comes later is the replay's."""
    return {feed: latest_event(mesh, feed, minutes) for feed, minutes in wanted.items()}


def follow_replay(
    mesh: Mesh,
    wanted: Wanted,
    after: Mapping[str, datetime],
    console: Console,
    *,
    seconds: float,
    merge: Callable[[], object] | None = None,
) -> Mapping[str, Reached]:
    """Show a replay's progress until every minute is merged, absent or dead; raise NotDone after so many seconds.

    In the cloud the merger runs on schedule; for a local mesh `merge` is called whenever everything is loaded.
    """
    look = {feed: partial(reached, mesh, feed, minutes, after[feed]) for feed, minutes in wanted.items()}
    merging = MergeWhenLoaded(merge or (lambda: None))
    with bars(console) as stages:

        def show(feed: str, now: Reached) -> None:
            stages.show(feed, now)
            merging.note(feed, now)

        return follow(look, lambda now: now.done, show=show, check=merging.check, seconds=seconds)


class MergeWhenLoaded:
    """Calls the merger when all that is followed is loaded and something is not merged."""

    def __init__(self, merge: Callable[[], object], elapsed: Callable[[], float] = time.monotonic) -> None:
        self._merge = merge
        self._elapsed = elapsed
        self._not_before = 0.0
        self._reached: dict[str, Reached] = {}

    def note(self, feed: str, now: Reached) -> None:
        """Record a feed's progress."""
        self._reached[feed] = now

    def check(self) -> None:
        """Merge, unless there is something to wait for."""
        loaded = bool(self._reached) and all(now.all_loaded for now in self._reached.values())
        if loaded and self._elapsed() >= self._not_before:
            self._merge()
            self._not_before = self._elapsed() + _MERGE_AGAIN_SECONDS
