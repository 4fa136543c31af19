"""Coverage, gaps and status are computed from the ledger."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.minutes import ONE_MINUTE, last_due, minutes_between
from shared.contracts.outcomes import DeadLetterType, ErrorType
from shared.feeds.definition import find_feed
from shared.operations.coverage import Cell, Coverage, coverage_of, with_objects
from shared.operations.feed_conditions import FeedCondition
from shared.operations.feed_status import feed_status
from shared.operations.mesh import Mesh
from shared.operations.open_dead_letters import DeadLetterRecord
from shared.operations.planner_state import PlanState
from shared.operations.status import MeshStatus
from shared.runtime.settings import MeshSettings
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket

DOMAINS = find_feed("domains")
FIRST = NOON - timedelta(hours=6)


def covered(*cells: Cell) -> Coverage:
    """Return a coverage with these cells."""
    return Coverage("domains", cells, NOON - timedelta(minutes=61))


def at(number: int) -> datetime:
    """Return a minute some hours ago."""
    return FIRST + number * ONE_MINUTE


@pytest.mark.parametrize(
    ("cell", "trouble"),
    [
        (Cell(FIRST), "missing"),
        (Cell(NOON - timedelta(minutes=71)), "missing"),
        (Cell(NOON - timedelta(minutes=70)), None),
        (Cell(FIRST, "landed", NOON - timedelta(minutes=9)), None),
        (Cell(FIRST, "landed", NOON - timedelta(minutes=11)), "never loaded"),
        (Cell(FIRST, "loaded", NOON - timedelta(minutes=30)), None),
        (Cell(FIRST, "loaded", NOON - timedelta(minutes=90)), "never merged"),
        (Cell(FIRST, "merged", NOON), None),
        (Cell(FIRST, "merged", NOON - timedelta(minutes=11), counted=False), "never counted"),
        (Cell(FIRST, "absent", NOON), None),
        (Cell(FIRST, "dead", NOON), "dead"),
    ],
)
def test_a_minute_is_in_trouble_only_when_it_should_be_further(cell: Cell, trouble: str | None) -> None:
    """A minute in progress is not a gap; a stuck one is."""
    assert cell.trouble(NOON) == trouble


def test_minutes_that_a_wrong_clock_has_asked_for_are_not_due_yet() -> None:
    """After clock skew the watermark can be in the future; coverage ends at the last due minute."""
    due = last_due(NOON)
    found = coverage_of(
        "domains", {due: Cell(due, "merged", NOON)}, PlanState(first=due - ONE_MINUTE, watermark=at(9999)), NOON
    )
    assert found == Coverage("domains", (Cell(due - ONE_MINUTE), Cell(due, "merged", NOON)), due, due - ONE_MINUTE)


def test_a_plan_has_reached_what_is_due_at_most() -> None:
    """A watermark far in the future must not make the accounts list every minute up to it."""
    assert PlanState(first=FIRST, watermark=FIRST).reached(NOON) == FIRST
    assert PlanState(first=FIRST, watermark=datetime(9999, 12, 31, 23, 59, tzinfo=UTC)).reached(NOON) == last_due(NOON)


def test_what_the_planner_never_asked_for_is_no_cell() -> None:
    """Without a planner's state there are only the ledger's minutes."""
    known = {FIRST: Cell(FIRST, "merged", NOON)}
    assert coverage_of("domains", known, None, NOON) == Coverage("domains", tuple(known.values()), None)


def test_what_was_replayed_is_due_like_what_was_planned() -> None:
    """Before the feed's first minute and beyond the source's retention too, until it is accounted for."""
    before, old, asked = FIRST - ONE_MINUTE, NOON - timedelta(days=30), NOON - timedelta(hours=1)
    plan = PlanState(first=FIRST, watermark=last_due(NOON))
    merged = {minute: Cell(minute, "merged", NOON) for minute in minutes_between(FIRST, last_due(NOON))}
    found = coverage_of("domains", merged, plan, NOON, {before: asked, old: asked, FIRST: asked})
    assert (found.cells[:2], found.older) == ((Cell(before, at=asked), merged[FIRST]), (Cell(old, at=asked),))
    assert [(gap.first, gap.last, gap.trouble) for gap in found.gaps(NOON)] == [
        (old, old, "missing"),
        (before, before, "missing"),
    ]
    assert not found.gaps(asked + timedelta(minutes=10))


def test_a_planned_minute_that_is_replayed_stays_missing() -> None:
    """Only what was asked for by a replay alone has its ten minutes from then on."""
    plan = PlanState(first=FIRST, watermark=FIRST)
    known = {FIRST: Cell(FIRST, "due", NOON)}
    [missing, _] = coverage_of("domains", known, plan, NOON, {FIRST: NOON}).gaps(NOON)
    assert (missing.first, missing.trouble) == (FIRST, "missing")


def mesh_with(**objects: bytes) -> Mesh:
    """Return a mesh whose bucket has the objects of a feed: its planner's state, its last error."""
    mesh = Mesh(MeshSettings(GCP_PROJECT="p", LANDING_BUCKET="landing"))
    vars(mesh)["bucket"] = bucket = MemoryBucket()
    for folder, content in objects.items():
        bucket.create(f"state/{folder}/domains.json", content)
    return mesh


def planned(first: datetime, watermark: datetime) -> bytes:
    """Return a planner's state as the planner writes it."""
    return PlanState(first=first, watermark=watermark).model_dump_json().encode()


def test_an_object_that_cannot_be_read_is_one_problem_beside_what_the_ledger_knows() -> None:
    """A corrupt planner state or last error is one problem, with its address and what to do."""
    known = {FIRST: Cell(FIRST, "merged", NOON)}
    good, ahead = planned(FIRST, last_due(NOON)), planned(FIRST, NOON + timedelta(days=2))
    for folder, objects in (("planner", {"planner": b"{}"}), ("feeds", {"planner": good, "feeds": b"{"})):
        found = with_objects(mesh_with(**objects), DOMAINS, known, NOON)
        [problem] = found.problems
        assert known[FIRST] in found.cells
        assert f"state/{folder}/domains.json cannot be read" in str(problem)
        assert "delete it" in str(problem)
    [problem] = with_objects(mesh_with(planner=ahead), DOMAINS, known, NOON).problems
    assert "has its watermark at 2026-11-23T12:00:00Z, more than a day from now" in str(problem)


def test_a_planner_that_never_ran_or_has_stopped_is_the_first_problem() -> None:
    """Computed from the clock, it explains the minutes that were not requested, which have the same remedy."""
    never = with_objects(mesh_with(), DOMAINS, {}, NOON)
    assert list(map(str, feed_status(never, NOON).problems())) == ["domains: the planner has never run; gti-mesh plan"]
    stopped = NOON - timedelta(hours=30)
    known = {minute: Cell(minute, "merged", NOON, lines=1) for minute in minutes_between(stopped, stopped + ONE_MINUTE)}
    status = feed_status(with_objects(mesh_with(planner=planned(stopped, stopped)), DOMAINS, known, NOON), NOON)
    assert list(map(str, status.problems())) == [
        "domains: the planner has not run, 1729 minutes since 2026-11-20T06:00:00Z are not requested; gti-mesh plan"
    ]
    [gap] = status.gaps
    assert (gap.trouble, gap.minutes, gap.remedy) == ("never requested", 1728, "gti-mesh plan")


def test_a_planner_that_runs_is_no_problem() -> None:
    """A running planner is no problem, even if it is late by less than the threshold for a missing minute."""
    for late in (0, 10):
        watermark = last_due(NOON) - timedelta(minutes=late)
        found = with_objects(mesh_with(planner=planned(watermark, watermark)), DOMAINS, {}, NOON)
        assert found.problems == ()
        assert [cell.state for cell in found.cells] == ["due"]


@pytest.mark.parametrize(
    ("error_type", "minutes", "shown"),
    [("key_refused", 0, [True]), ("trouble", 9, [False]), ("trouble", 11, [True, False])],
)
def test_a_refused_key_is_one_problem_and_a_passing_error_is_only_shown(
    error_type: ErrorType, minutes: int, shown: list[bool]
) -> None:
    """A refused key explains missing minutes at once.

    A transient error does not, and becomes a problem only with time.
    """
    error = FeedCondition(error_type=error_type, reason="check VT_API_KEY", since=NOON - timedelta(minutes=minutes))
    mesh = mesh_with(planner=planned(FIRST, last_due(NOON)), feeds=error.model_dump_json().encode())
    newest = NOON - timedelta(minutes=80)
    status = feed_status(with_objects(mesh, DOMAINS, {newest: Cell(newest, "merged", NOON)}, NOON), NOON)
    problems = list(map(str, status.problems()))
    assert status.facts()["condition"] == error.model_dump()
    assert ["check VT_API_KEY" in problem for problem in problems] == shown


def test_neighbours_with_the_same_trouble_are_one_gap() -> None:
    """Three missing minutes are one range with one remedy; another problem or error type begins another range."""
    gaps = covered(
        Cell(at(0)),
        Cell(at(1)),
        Cell(at(2)),
        Cell(at(3), "merged", NOON),
        Cell(at(4)),
        Cell(at(5), "dead", NOON, error_type="request_refused"),
        Cell(at(6), "dead", NOON, error_type="request_refused"),
        Cell(at(7), "dead", NOON, error_type="source_changed"),
    ).gaps(NOON)
    assert [(gap.first, gap.minutes, gap.trouble) for gap in gaps] == [
        (at(0), 3, "missing"),
        (at(4), 1, "missing"),
        (at(5), 2, "dead"),
        (at(7), 1, "dead"),
    ]
    assert gaps[0].remedy == "gti-mesh replay domains 2026-11-21T06:00Z 2026-11-21T06:02Z"


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        (Cell(FIRST), "gti-mesh replay domains 2026-11-21T06:00Z 2026-11-21T06:00Z"),
        (Cell(FIRST, "unrequested"), "gti-mesh plan"),
        (Cell(FIRST, "loaded", FIRST), "gti-mesh merge"),
        (Cell(FIRST, "dead", FIRST, error_type="minute_expired"), ""),
        (
            Cell(FIRST, "dead", FIRST, error_type="object_missing"),
            "gti-mesh replay domains 2026-11-21T06:00Z 2026-11-21T06:00Z --replace --force",
        ),
    ],
)
def test_a_gap_has_a_remedy_that_can_help(cell: Cell, remedy: str) -> None:
    """A gap's command can repair it: a replay does not merge, and cannot fetch what the source no longer has."""
    [gap] = covered(cell).gaps(NOON)
    assert gap.remedy == remedy


@given(st.lists(st.sampled_from(["due", "merged", "dead", "absent"]), max_size=40))
def test_gaps_cover_exactly_the_minutes_in_trouble(states: list[str]) -> None:
    """Every minute with a problem is in exactly one gap, and no other minute is."""
    cells = [Cell(at(number), state, NOON) for number, state in enumerate(states)]
    gaps = covered(*cells).gaps(NOON)
    named = [gap.first + number * ONE_MINUTE for gap in gaps for number in range(gap.minutes)]
    assert named == [cell.minute for cell in cells if cell.trouble(NOON)]


def test_a_healthy_feed_has_no_problems() -> None:
    """All minutes are merged and fresh: there are no problems."""
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
    problems = " ".join(map(str, feed_status(covered(*cells), NOON).problems()))
    for part in ("gti-mesh replay domains", "is stale", "no package for 6 minutes in a row", "9 of 100 lines"):
        assert part in problems


def test_a_feed_without_a_licence_is_one_problem() -> None:
    """The condition explains missing minutes and their age, but not problems of landed minutes."""
    cells = (*(Cell(at(number)) for number in range(5)), Cell(at(5), "landed", FIRST))
    condition = FeedCondition(error_type="not_licensed", reason="403 ForbiddenError", since=FIRST)
    status = feed_status(replace(covered(*cells), first=FIRST, condition=condition), NOON)
    assert len(status.gaps) == 2
    problem, other = map(str, status.problems())
    assert problem == "domains: no package is given since 2026-11-21T06:00Z: 403 ForbiddenError"
    assert "never loaded" in other
    assert status.report()["condition"] == condition.model_dump()


def test_a_feed_that_has_only_begun_is_not_stale() -> None:
    """Before the first merge there is no freshness."""
    status = feed_status(Coverage("domains", (), None), NOON)
    assert status.freshness_minutes is None
    assert list(status.problems()) == []


def test_a_feed_with_older_minutes_replayed_is_stale_only_by_its_own() -> None:
    """Age counts from the planner's first minute, merged or not."""
    replayed = Cell(NOON - timedelta(hours=5), "merged", NOON)
    for begun, stale in ((149, False), (151, True)):
        first = NOON - timedelta(minutes=begun)
        for cells in ((), (replayed,)):
            conditions = list(feed_status(Coverage("domains", cells, NOON, first), NOON).conditions())
            assert bool(conditions) == stale
    assert list(map(str, conditions)) == ["domains is stale: no minute of the last 151 has been merged"]


def test_a_dead_letter_that_is_no_gap_is_told_by_itself() -> None:
    """Letters without a minute, of a feed that is off, and of an existing minute are listed.

    A dead minute is already a gap.
    """
    letters = [
        DeadLetterRecord(
            "1", "domains", None, "the message has no body", 1, None, NOON, None, error_type="invalid_message"
        ),
        DeadLetterRecord("2", "urls", FIRST, "not switched on", 1, None, NOON, None),
        DeadLetterRecord("3", "domains", FIRST, "no licence", 1, None, NOON, "dead"),
        DeadLetterRecord("4", "domains", at(1), "source changed", 1, None, NOON, "merged", at(2)),
    ]
    status = feed_status(covered(Cell(FIRST, "dead", NOON), Cell(NOON - timedelta(hours=2), "merged", NOON)), NOON)
    problems = MeshStatus(NOON, [status], (), letters).problems()
    assert problems[1:] == [
        "dead letter 1: the message has no body; gti-mesh dead discard 1",
        "dead letter 2: not switched on; gti-mesh dead redrive 2",
        "dead letter 4: source changed; gti-mesh dead discard 4",
    ]


@pytest.mark.parametrize(
    ("error_type", "state", "reached", "is_open"),
    [
        ("request_refused", "dead", NOON, True),
        ("feed_off", None, None, True),
        ("request_refused", "merged", NOON + ONE_MINUTE, False),
        ("source_changed", "merged", NOON - ONE_MINUTE, True),
        ("source_changed", "merged", NOON + ONE_MINUTE, True),
        ("source_changed", "landed", NOON - ONE_MINUTE, True),
        ("attempts_spent", "merged", NOON - ONE_MINUTE, False),
    ],
)
def test_a_letter_is_open_until_its_minute_has_come(
    error_type: DeadLetterType, state: str | None, reached: datetime | None, is_open: bool
) -> None:
    """A verdict about a minute that had already arrived needs an operator; spent attempts do not."""
    letter = DeadLetterRecord("1", "domains", FIRST, "why", 1, None, NOON, state, reached, error_type=error_type)
    assert letter.open is is_open
