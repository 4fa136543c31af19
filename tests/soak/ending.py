"""The end of a soak: no more faults, and the mesh repairs itself by its own schedules and sweeps."""

import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from shared.contracts.minutes import format_minute
from shared.contracts.outcomes import MeshError
from shared.feeds.definition import find_feed
from shared.operations.accounts import read_accounts
from shared.operations.replay_pages import replay_pages
from shared.operations.stream_accounts import StreamAccounts, read_landings, read_pages
from shared.streams.definition import Stream
from shared.streams.forwarded import FORWARDED_FEEDS
from tests.soak.engine import Engine
from tests.soak.soak_mesh import SoakMesh
from tests.soak.updates import not_logged

# Past the longest spacing of the sweep (360 minutes) and past every patience that it has.
_STEP = timedelta(minutes=365)
_MAX_ROUNDS = 12
# So many rounds that change nothing: nothing more will come.
_HOPELESS = 4
_SHOWN = 3
_QUIET_SECONDS = 2.0
# A killed importer's lease ends after 150 s, a push that met it waits up to 10 s more.
_BUSY_SECONDS = 400.0
_PLANNED_SECONDS = 180.0
_LOOK_SECONDS = 0.5
_REPORT_SECONDS = 30.0


class NotQuietError(MeshError):
    """Messages are delivered long after the last fault."""


def settle(soak_mesh: SoakMesh, engine: Engine, say: Callable[[str], None]) -> int:
    """Complete all work; return the number of sweeps that it took."""
    began = time.monotonic()
    engine.calm()
    soak_mesh.await_answers()
    soak_mesh.source.move_clock(0.0)
    soak_mesh.spoil_source()
    soak_mesh.lists.set_faults()
    soak_mesh.secops.set_faults()
    if soak_mesh.pubsub:
        soak_mesh.pubsub.set_faults()
    plan_to(soak_mesh, soak_mesh.last)
    _replay_what_was_refused(soak_mesh)
    history: list[list[str]] = []
    for rounds in range(_MAX_ROUNDS):
        _await_quiet(soak_mesh, say)
        soak_mesh.call("merger")
        soak_mesh.poll_and_count()
        _await_quiet(soak_mesh, say)
        open_accounts = unfinished(soak_mesh)
        say(f"{time.monotonic() - began:6.1f} s  after {rounds} sweeps {len(open_accounts)} accounts are open")
        for account in open_accounts[:_SHOWN]:
            say(f"          {account}")
        history.append(open_accounts)
        if not open_accounts or history[-_HOPELESS:] == [open_accounts] * _HOPELESS:
            return rounds
        soak_mesh.planner_clock.move((rounds + 1) * _STEP.total_seconds())
        soak_mesh.call("planner", "/sweep")
        _replay_refused_pages(soak_mesh)
    return _MAX_ROUNDS


def unfinished(soak_mesh: SoakMesh) -> list[str]:
    """Return every account that does not balance yet, and every dead minute: the source has a package for each."""
    feeds: list[str] = []
    for feed in soak_mesh.feeds:
        accounts = read_accounts(soak_mesh.mesh_view, find_feed(feed))
        dead = [account.minute for account in accounts.minutes if account.state == "dead"]
        feeds += [f"{feed} {text}" for text in accounts.mismatches()]
        feeds += [f"{feed} {format_minute(minute)} is dead" for minute in dead]
    hours = [one for feed in FORWARDED_FEEDS for one in read_landings(soak_mesh.mesh_view.bucket, feed)]
    streams = [f"{stream.name}: {text}" for stream in soak_mesh.streams for text in _unfinished(soak_mesh, stream)]
    return feeds + streams + [*StreamAccounts(tuple(hours)).mismatches()]


def _unfinished(soak_mesh: SoakMesh, stream: Stream) -> Iterator[str]:
    """Yield what is wrong with a stream: pages, refusals, and items whose newest version is not in the log."""
    bucket = soak_mesh.mesh_view.bucket
    pages = read_pages(bucket, stream)
    yield from (f"page {page.sequence}: {page.delivery.reason}" for page in pages if page.delivery.dead)
    yield from StreamAccounts(pages, returning=bool(stream.unversioned)).mismatches()
    shown = soak_mesh.shown.get(stream.name)
    if shown and (left := not_logged(bucket, stream.name, shown)):
        yield f"{len(left)} items are not in the log as they are, among them {left[0]}"


def plan_to(soak_mesh: SoakMesh, last: datetime) -> None:
    """Run the planner until a minute of every feed is planned, and the hours that are due by then."""
    deadline = time.monotonic() + _PLANNED_SECONDS
    while any(
        (plan := soak_mesh.mesh_view.plan(feed)) is None or plan.watermark < soak_mesh.planned(feed, last)
        for feed in soak_mesh.feeds
    ):
        soak_mesh.show_planners(last)
        soak_mesh.call("planner")
        if time.monotonic() > deadline:
            raise NotQuietError(f"the planner did not come to {last} within {_PLANNED_SECONDS:.0f} s")


def _replay_what_was_refused(soak_mesh: SoakMesh) -> None:
    """Request the past hours whose replay was refused or interrupted, as an operator repeats a command."""
    deadline, fewest = time.monotonic() + _PLANNED_SECONDS, sys.maxsize
    while left := [past for past in soak_mesh.past_hours if past not in soak_mesh.replayed]:
        if len(left) < fewest:
            deadline, fewest = time.monotonic() + _PLANNED_SECONDS, len(left)
        if time.monotonic() > deadline:
            raise NotQuietError(f"{len(left)} replays: none was accepted for {_PLANNED_SECONDS:.0f} s")
        soak_mesh.replay(left[0])


def _await_quiet(soak_mesh: SoakMesh, say: Callable[[str], None]) -> None:
    """Wait until no push is outstanding for a while; if pushes are not counted, until no rows are added."""
    deadline, since, before = time.monotonic() + _BUSY_SECONDS, time.monotonic(), -1
    fewest, reported = sys.maxsize, since
    while time.monotonic() - since < _QUIET_SECONDS:
        if time.monotonic() > deadline:
            raise NotQuietError(f"no less to do for {_BUSY_SECONDS:.0f} s: {_outstanding(soak_mesh)}")
        now = sum(_outstanding(soak_mesh).values())
        if soak_mesh.pubsub and now < fewest:
            fewest, deadline = now, time.monotonic() + _BUSY_SECONDS
        if time.monotonic() - reported > _REPORT_SECONDS:
            reported = time.monotonic()
            say(f"          on their way: {_outstanding(soak_mesh)}")
        if now != before or (soak_mesh.pubsub and now):
            before, since = now, time.monotonic()
        time.sleep(_LOOK_SECONDS)


def _outstanding(soak_mesh: SoakMesh) -> dict[str, int]:
    if soak_mesh.pubsub is None:
        rows = soak_mesh.mesh_view.warehouse.query(f"SELECT COUNT(*) AS n FROM `{soak_mesh.mesh_view.dataset}.minutes`")  # noqa: S608
        return {"rows": next(iter(rows.result(timeout=_PLANNED_SECONDS)))["n"]}
    waiting = {name.rpartition("/")[2]: one.messages for name, one in soak_mesh.pubsub.backlog().items()}
    # What is kept for the operator waits for a person.
    return {name: count for name, count in waiting.items() if count and not name.endswith("-dead")}


def _replay_refused_pages(soak_mesh: SoakMesh) -> None:
    """Publish pages again that SecOps had refused, as an operator does once the cause is fixed.

    `dead redrive` would do it too, but a lost backlog may include dead letters.
    """
    bucket, publisher = soak_mesh.mesh_view.bucket, soak_mesh.mesh_view.publisher
    for stream in soak_mesh.streams:
        for page in read_pages(bucket, stream):
            if page.delivery.dead:
                replay_pages(bucket, publisher, stream.name, page.sequence, page.sequence)
