"""`gti-mesh replay --replace`: delete the rows of minutes from the warehouse, and load what has landed.

It is the only safe way to load other content of a minute, and repairs rows that were changed. Each step can be
repeated: after a crash in between the minute is due, and the content of its manifest is loaded.
"""

from collections.abc import Sequence
from datetime import datetime

import stamina

from shared.contracts.contents import content_name
from shared.contracts.manifests import landed_names
from shared.contracts.minute_requests import BadRangeError, ask
from shared.contracts.minutes import HORIZON, format_minute, manifest_name
from shared.feeds.definition import Feed, find_feed
from shared.gcp.bigquery import dataset_location, run_query
from shared.operations.accepted_replays import AcceptedReplays
from shared.operations.mesh import Mesh
from shared.warehouse.errors import ConcurrentUpdate
from shared.warehouse.rendering import render

# It reads the history of the minute's ids, in every partition.
_SECONDS = 1800.0
_ATTEMPTS = 5


def replace(mesh: Mesh, feed: str, minutes: Sequence[datetime], *, force: bool, now: datetime) -> None:
    """Replace the rows of minutes with what has landed; force lands each minute again first.

    Raises BadRangeError, before anything is changed, for a minute that could not be loaded again.
    """
    _refuse_vanished(mesh, feed, minutes, force=force, now=now)
    AcceptedReplays(mesh.bucket).accept(feed, minutes, now)
    for minute in minutes:
        _take_out(mesh, find_feed(feed), minute)
        mesh.bucket.delete(content_name(feed, minute))
        if force:
            mesh.bucket.delete(manifest_name(feed, minute))
    ask(mesh.publisher, feed, minutes, reason="replay")


def _refuse_vanished(mesh: Mesh, feed: str, minutes: Sequence[datetime], *, force: bool, now: datetime) -> None:
    period = find_feed(feed).every()
    old = [minute for minute in minutes if not period.still_has(minute, now)]
    landed = {name for day in {minute.date() for minute in old} for name in landed_names(mesh.bucket, feed, day)}
    vanished = [minute for minute in old if force or manifest_name(feed, minute) not in landed]
    if vanished:
        raise BadRangeError(
            f"the source keeps minutes for {HORIZON.days} days: {format_minute(vanished[0])} cannot be fetched again; "
            + ("leave out --force to have what has landed" if force else "nothing of it has landed to take its place")
        )


def _take_out(mesh: Mesh, feed: Feed, minute: datetime) -> None:
    """Delete the rows of a minute; a concurrent merge cancels the statement or is cancelled by it."""
    sql = render(
        "shared.operations/replace_minute.sql", dataset=mesh.dataset, feed=feed, minute=f"{minute:%Y-%m-%d %H:%M}:00+00"
    )
    location = dataset_location(mesh.warehouse, mesh.settings.dataset)
    for attempt in stamina.retry_context(on=ConcurrentUpdate, attempts=_ATTEMPTS, wait_initial=5.0, timeout=None):
        with attempt:
            run_query(mesh.warehouse, sql, seconds=_SECONDS, location=location)
