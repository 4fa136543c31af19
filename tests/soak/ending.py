"""The end of a soak: no more faults, and the mesh repairs itself by its own schedules and sweeps."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from services.console.accounts import read_accounts
from services.console.replay_pages import replay_pages
from services.console.stream_accounts import StreamAccounts, read_pages
from shared.feeds.definition import find_feed
from shared.outcomes import MeshError
from shared.streams import find_stream
from tests.soak.engine import Engine
from tests.soak.world import World

# Past the longest spacing of the sweep (360 minutes) and past every patience that it has.
_STEP = timedelta(minutes=365)
_MOST_ROUNDS = 12
# So many rounds that change nothing: nothing more will come.
_HOPELESS = 4
_SHOWN = 3
_QUIET_SECONDS = 2.0
# A killed importer's lease ends after 150 s, a push that met it waits up to 10 s more.
_BUSY_SECONDS = 400.0
_PLANNED_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_TELL_SECONDS = 30.0
STREAM = find_stream("ioc_stream")


class NotQuietError(MeshError):
    """Messages are still on their way long after the last fault."""


def settle(world: World, engine: Engine, say: Callable[[str], None]) -> int:
    """Bring everything to its end; return the rounds of sweeps that it took."""
    began = time.monotonic()
    engine.calm()
    world.source.move_clock(0.0)
    world.spoil_source()
    world.lists.set_faults()
    world.secops.set_faults()
    if world.pubsub:
        world.pubsub.set_faults()
    plan_to(world, world.last)
    history: list[list[str]] = []
    for rounds in range(_MOST_ROUNDS):
        _await_quiet(world, say)
        world.call("merger")
        world.polled = datetime.now(UTC)
        world.call("secops-poll")
        _await_quiet(world, say)
        open_accounts = unfinished(world)
        say(f"{time.monotonic() - began:6.1f} s  after {rounds} sweeps {len(open_accounts)} accounts are open")
        for account in open_accounts[:_SHOWN]:
            say(f"          {account}")
        history.append(open_accounts)
        if not open_accounts or history[-_HOPELESS:] == [open_accounts] * _HOPELESS:
            return rounds
        for moved in (world.planner_clock, world.poller_clock):
            moved.move((rounds + 1) * _STEP.total_seconds())
        world.call("planner", "/sweep")
        world.call("secops-poll")
        _replay_refused_pages(world)
    return _MOST_ROUNDS


def unfinished(world: World) -> list[str]:
    """Return every account that is not balanced yet."""
    feeds = [
        f"{feed} {text}"
        for feed in world.size.feeds
        for text in read_accounts(world.console, find_feed(feed)).mismatches()
    ]
    pages = read_pages(world.console.bucket, STREAM)
    given_up = [f"page {page.sequence}: {page.delivery.reason}" for page in pages if page.delivery.dead]
    return feeds + given_up + list(StreamAccounts(pages).mismatches())


def plan_to(world: World, last: datetime) -> None:
    """Have the planner come to a minute of every feed."""
    deadline = time.monotonic() + _PLANNED_SECONDS
    while any((plan := world.console.plan(feed)) is None or plan.watermark < last for feed in world.size.feeds):
        world.show_planners(last)
        world.call("planner")
        if time.monotonic() > deadline:
            raise NotQuietError(f"the planner did not come to {last} within {_PLANNED_SECONDS:.0f} s")


def _await_quiet(world: World, say: Callable[[str], None]) -> None:
    """Return when no push has been outstanding for a while, which where nobody counts them is a while without rows."""
    deadline, since, before = time.monotonic() + _BUSY_SECONDS, time.monotonic(), -1
    fewest, told = sys.maxsize, since
    while time.monotonic() - since < _QUIET_SECONDS:
        if time.monotonic() > deadline:
            raise NotQuietError(f"no less to do for {_BUSY_SECONDS:.0f} s: {_outstanding(world)}")
        now = sum(_outstanding(world).values())
        if world.pubsub and now < fewest:
            fewest, deadline = now, time.monotonic() + _BUSY_SECONDS
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            say(f"          on their way: {_outstanding(world)}")
        if now != before or (world.pubsub and now):
            before, since = now, time.monotonic()
        time.sleep(_LOOK_SECONDS)


def _outstanding(world: World) -> dict[str, int]:
    if world.pubsub is None:
        rows = world.console.warehouse.query(f"SELECT COUNT(*) AS n FROM `{world.console.dataset}.minutes`")  # noqa: S608
        return {"rows": next(iter(rows.result(timeout=60)))["n"]}
    waiting = {name.rpartition("/")[2]: one.messages for name, one in world.pubsub.backlog().items()}
    # What is kept for the operator waits for a person.
    return {name: count for name, count in waiting.items() if count and not name.endswith("-dead")}


def _replay_refused_pages(world: World) -> None:
    """Send pages again that SecOps had refused, as an operator does once the cause is gone.

    `dead redrive` would do it too, but a backlog that is gone has taken dead letters with it.
    """
    for page in read_pages(world.console.bucket, STREAM):
        if page.delivery.dead:
            replay_pages(world.console.bucket, world.console.publisher, STREAM.name, page.sequence, page.sequence)
