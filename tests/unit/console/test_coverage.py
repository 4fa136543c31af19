"""Coverage, gaps and status, from what the ledger says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.coverage import Cell, Coverage, coverage_of
from services.console.dead import Death
from services.console.feeds import feed_status
from services.console.mesh import Mesh, Plan
from services.console.status import MeshStatus
from shared.memory import MemoryBucket
from shared.minutes import ONE_MINUTE, last_due
from shared.outcomes import Misconfigured
from shared.settings import MeshSettings
from tests.doubles import NOON

FIRST = NOON - timedelta(hours=6)


def covered(*cells: Cell) -> Coverage:
    """Return a coverage of these cells."""
    return Coverage("domains", cells, NOON - timedelta(minutes=61))


def at(number: int) -> datetime:
    """Return a minute some hours ago."""
    return FIRST + number * ONE_MINUTE


@pytest.mark.parametrize(
    ("cell", "trouble"),
    [
        (Cell(FIRST), "missing"),
        (Cell(NOON - timedelta(minutes=70)), None),
        (Cell(FIRST, "landed", NOON - timedelta(minutes=5)), None),
        (Cell(FIRST, "landed", NOON - timedelta(minutes=30)), "never loaded"),
        (Cell(FIRST, "loaded", NOON - timedelta(minutes=30)), None),
        (Cell(FIRST, "loaded", NOON - timedelta(minutes=90)), "never merged"),
        (Cell(FIRST, "merged", NOON), None),
        (Cell(FIRST, "absent", NOON), None),
        (Cell(FIRST, "dead", NOON), "dead"),
    ],
)
def test_a_minute_is_in_trouble_only_when_it_should_be_further(cell: Cell, trouble: str | None) -> None:
    """What is on its way is no gap; what stands still is."""
    assert cell.trouble(NOON) == trouble


def test_minutes_that_a_wrong_clock_has_asked_for_are_not_due_yet() -> None:
    """A planner whose clock ran ahead for a moment leaves its watermark in the future, which no map of minutes has."""
    due = last_due(NOON)
    found = coverage_of(
        "domains", {due: Cell(due, "merged", NOON)}, Plan(first=due - ONE_MINUTE, watermark=at(9999)), NOON
    )
    assert found == Coverage("domains", (Cell(due - ONE_MINUTE), Cell(due, "merged", NOON)), due, due - ONE_MINUTE)


def test_a_plan_has_reached_what_is_due_at_most() -> None:
    """A watermark at the end of time must not have the books count every minute up to it."""
    assert Plan(first=FIRST, watermark=FIRST).reached(NOON) == FIRST
    assert Plan(first=FIRST, watermark=datetime(9999, 12, 31, 23, 59, tzinfo=UTC)).reached(NOON) == last_due(NOON)


def test_what_the_planner_never_asked_for_is_no_cell() -> None:
    """Without a planner's state only what the ledger knows is there."""
    known = {FIRST: Cell(FIRST, "merged", NOON)}
    assert coverage_of("domains", known, None, NOON) == Coverage("domains", tuple(known.values()), None)


def test_a_planners_state_that_cannot_be_read_is_named_with_what_to_do() -> None:
    """The command says it in a line, as the planner does."""
    mesh = Mesh(MeshSettings(GCP_PROJECT="p", LANDING_BUCKET="landing"), None)
    vars(mesh)["bucket"] = bucket = MemoryBucket()
    assert mesh.plan("domains") is None
    bucket.create("state/planner/domains.json", b"{}")
    with pytest.raises(Misconfigured, match=r"state/planner/domains\.json cannot be read .*delete it"):
        mesh.plan("domains")


def test_neighbours_with_the_same_trouble_are_one_gap() -> None:
    """Three missing minutes are one range with one remedy; another trouble or reason begins another."""
    gaps = covered(
        Cell(at(0)),
        Cell(at(1)),
        Cell(at(2)),
        Cell(at(3), "merged", NOON),
        Cell(at(4)),
        Cell(at(5), "dead", NOON, reason="package 202611210605: no licence"),
        Cell(at(6), "dead", NOON, reason="package 202611210606: no licence"),
        Cell(at(7), "dead", NOON, reason="source changed"),
    ).gaps(NOON)
    assert [(gap.first, gap.minutes, gap.trouble) for gap in gaps] == [
        (at(0), 3, "missing"),
        (at(4), 1, "missing"),
        (at(5), 2, "dead"),
        (at(7), 1, "dead"),
    ]
    assert gaps[0].remedy == "gti-mesh replay domains 2026-11-21T06:00Z 2026-11-21T06:02Z"


@given(st.lists(st.sampled_from(["due", "merged", "dead", "absent"]), max_size=40))
def test_gaps_cover_exactly_the_minutes_in_trouble(states: list[str]) -> None:
    """No minute in trouble is left out, none is named twice, and nothing else is named."""
    cells = [Cell(at(number), state, NOON) for number, state in enumerate(states)]
    gaps = covered(*cells).gaps(NOON)
    named = [gap.first + number * ONE_MINUTE for gap in gaps for number in range(gap.minutes)]
    assert named == [cell.minute for cell in cells if cell.trouble(NOON)]


def test_a_healthy_feed_has_no_problems() -> None:
    """All merged and fresh: nothing to say."""
    cells = [Cell(NOON - timedelta(minutes=back), "merged", NOON, lines=60, rejected=0) for back in range(120, 60, -1)]
    status = feed_status(covered(*cells), NOON)
    assert list(status.problems()) == []
    assert status.freshness_minutes == 61
    assert (status.lines_24h, status.lines_per_minute) == (3600, 60.0)
    assert status.states_24h == {"merged": 60}


def test_what_needs_a_person_is_said_with_its_remedy() -> None:
    """A gap, staleness, a long absence and many rejects each have a line."""
    cells = [
        Cell(at(0)),
        *(Cell(at(number), "absent", NOON) for number in range(1, 7)),
        Cell(at(7), "merged", NOON, lines=100, rejected=9),
    ]
    problems = " ".join(feed_status(covered(*cells), NOON).problems())
    for part in ("gti-mesh replay domains", "is stale", "no package for 6 minutes in a row", "9 of 100 lines"):
        assert part in problems


def test_a_feed_that_has_only_begun_is_not_stale() -> None:
    """Before the first merge there is no freshness to speak of."""
    status = feed_status(Coverage("domains", (), None), NOON)
    assert status.freshness_minutes is None
    assert list(status.problems()) == []


def test_a_feed_with_older_minutes_replayed_is_stale_only_by_its_own() -> None:
    """The clock starts at the planner's first minute, merged or not; before it nothing could be fresher."""
    replayed = Cell(NOON - timedelta(hours=5), "merged", NOON)
    for begun, stale in ((149, False), (151, True)):
        first = NOON - timedelta(minutes=begun)
        for cells in ((), (replayed,)):
            conditions = list(feed_status(Coverage("domains", cells, NOON, first), NOON).conditions())
            assert bool(conditions) == stale
    assert conditions == ["domains is stale: the newest merged minute is 300 minutes old"]


def test_a_dead_letter_that_is_no_gap_is_told_by_itself() -> None:
    """Without a minute, of a feed that is off, of a minute that is there; a dead minute is a gap already."""
    letters = [
        Death("1", "domains", None, "the message has no body", 1, None, NOON, None),
        Death("2", "urls", FIRST, "not switched on", 1, None, NOON, None),
        Death("3", "domains", FIRST, "no licence", 1, None, NOON, "dead"),
        Death("4", "domains", at(1), "source changed", 1, None, NOON, "merged", at(2)),
    ]
    status = feed_status(covered(Cell(FIRST, "dead", NOON), Cell(NOON - timedelta(hours=2), "merged", NOON)), NOON)
    problems = MeshStatus(NOON, [status], (), letters).problems()
    assert problems[1:] == [
        "dead letter 1: the message has no body; gti-mesh dead discard 1",
        "dead letter 2: not switched on; gti-mesh dead redrive 2",
        "dead letter 4: source changed; gti-mesh dead discard 4",
    ]


@pytest.mark.parametrize(
    ("reason", "state", "reached", "is_open"),
    [
        ("no licence", "dead", NOON, True),
        ("not switched on", None, None, True),
        ("no licence", "merged", NOON + ONE_MINUTE, False),
        ("source changed", "merged", NOON - ONE_MINUTE, True),
        ("attempts spent: 100 deliveries by downloader", "merged", NOON - ONE_MINUTE, False),
    ],
)
def test_a_letter_is_open_until_its_minute_has_come(
    reason: str, state: str | None, reached: datetime | None, is_open: bool
) -> None:
    """A verdict on a minute that had come before it needs a person; spent attempts at such a minute do not."""
    assert Death("1", "domains", FIRST, reason, 1, None, NOON, state, reached).open is is_open
