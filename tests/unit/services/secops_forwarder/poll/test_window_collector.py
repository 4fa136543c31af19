"""Issues: the last version of every one is in the log, and no version comes again without a change, in any history.

HISTORIES is the number of histories to try; `make histories` tries 100,000.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.poll.listings import OVERLAP
from shared.contracts.outcomes import MeshError, Misconfigured, TransientError
from shared.operations.feed_conditions import stream_conditions
from shared.streams.page_log import PublishedStore
from shared.virustotal.errors import KeyRefused, RequestRefused
from shared.virustotal.issue_reader import IssuePage
from tests.support.doubles import NOON
from tests.support.issues import OTHER, PROJECT, IssuesHarness, SimpleIssue
from tests.support.streams import CrashError, CrashSchedule

Action = tuple[str, Any]
_HISTORIES = int(os.environ.get("HISTORIES", "60"))
STATUS = st.sampled_from(["open_new", "open_triaged", "closed"])
NUMBER = st.integers(0, 30)
# Shown later than any overlap, and many at the same time.
AGES = st.lists(st.sampled_from([0, 0, 1, 5, 700, 90_000]), min_size=1, max_size=9)
CHANGE: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("add"), AGES),
    st.tuples(st.just("add elsewhere"), AGES),
    st.tuples(st.just("triage"), st.tuples(NUMBER, STATUS)),
    st.tuples(st.just("see"), st.lists(NUMBER, min_size=1, max_size=9)),
)
ACTION: st.SearchStrategy[Action] = st.one_of(
    CHANGE,
    CHANGE,
    st.tuples(st.just("meanwhile"), st.tuples(st.integers(1, 6), CHANGE)),
    st.tuples(st.just("die"), st.integers(1, 14)),
    st.tuples(st.just("die after"), st.integers(1, 14)),
    st.tuples(st.just("poll between"), st.integers(1, 6)),
    st.tuples(st.just("trouble"), st.integers(1, 6)),
    st.tuples(st.just("expire"), st.integers(1, 6)),
    st.tuples(st.just("slow"), st.integers(1, 200)),
    st.tuples(st.just("lose the hint"), st.none()),
    st.tuples(st.just("lose the versions"), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 1200)),
    st.tuples(st.just("wait"), st.just(86_400)),
)


@pytest.fixture
def harness() -> IssuesHarness:
    """Return two projects that were read once and are empty; a page has three issues."""
    harness = IssuesHarness()
    harness.poll()
    return harness


@settings(max_examples=_HISTORIES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    actions=st.lists(ACTION, max_size=14),
    page_size=st.integers(1, 3),
    logs=st.integers(1, 4),
    inclusive=st.booleans(),
    unstable=st.booleans(),
)
@example(actions=[("add", [0, 0, 0]), ("die", 8)], page_size=1, logs=1, inclusive=False, unstable=True)
def test_no_history_loses_or_repeats_a_version(
    actions: Sequence[Action], page_size: int, logs: int, inclusive: bool, unstable: bool
) -> None:
    """Triage, scans, late issues, deaths at every request and write, two polls at once, errors, in any order."""
    harness = IssuesHarness(page_size)
    harness.limits = Limits(bytes=100_000, logs=logs)
    harness.source.inclusive, harness.source.unstable_ties = inclusive, unstable
    harness.poll()
    for name, value in actions:
        harness.source.on_ask = lambda _: None
        act(harness, name, value)
    harness.source.on_ask = lambda _: None
    # Ties in another order with every request may be left out of one pass.
    harness.source.unstable_ties = False
    harness.sweep()
    # An interrupted sweep was finished first, and what it had passed over is for the next one.
    harness.poll()
    harness.assert_every_version_once()


def act(harness: IssuesHarness, name: str, value: Any) -> None:
    """Let one event happen."""
    match name:
        case "wait":
            harness.now.advance(seconds=value)
        case "lose the hint" if any(harness.pages()):
            harness.bucket.delete(f"state/streams/{harness.stream.name}.json")
        case "lose the versions":
            harness.bucket.delete(f"state/streams/versions/{harness.stream.name}.json")
        case "die" | "die after":
            # A page of one hit may be the one before it, when ties change their order.
            with suppress(CrashError, TransientError):
                harness.poller(CrashSchedule(value, after=name == "die after")).poll(harness.stream)
        case "meanwhile" | "poll between" | "trouble" | "expire" | "slow":
            poll_through(harness, name, value)
        case _:
            change(harness, name, value)


def change(harness: IssuesHarness, name: str, value: Any) -> None:
    """Let the issues change."""
    now, source = harness.now(), harness.source
    match name:
        case "add" | "add elsewhere":
            # Nothing is before the first walk.
            dates = [max(now - timedelta(seconds=age), NOON - timedelta(days=6)) for age in value]
            source.add(*dates, project=OTHER if name == "add elsewhere" else PROJECT)
        case "triage":
            source.triage(*value)
        case "see":
            for number in value:
                source.see(number, now)


def poll_through(harness: IssuesHarness, name: str, value: Any) -> None:
    """Poll while an event happens before one of the requests, or before all of them."""
    moment, detail = value if isinstance(value, tuple) else (value, None)
    happen: dict[str, Callable[[], None]] = {
        "meanwhile": lambda: change(harness, *detail),
        "poll between": harness.poll,
        "trouble": lambda: fail(TransientError("429")),
        "expire": lambda: harness.source.expired.update({harness.source.asked[-1].token} - {None}),
        "slow": lambda: harness.now.advance(seconds=moment),
    }
    first = len(harness.source.asked)

    def interrupt(number: int) -> None:
        if name == "slow":
            happen[name]()
        elif number == first + moment:
            harness.source.on_ask = lambda _: None
            happen[name]()

    harness.source.on_ask = interrupt
    with suppress(MeshError):
        harness.poll()
    harness.source.expired = set()


def fail(error: Exception) -> None:
    """Have a request fail."""
    raise error


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(1, 16))
def test_a_death_at_any_step_loses_and_repeats_nothing(harness: IssuesHarness, step: int, *, after: bool) -> None:
    """The next poll reads again what was not logged."""
    harness.limits = Limits(bytes=100_000, logs=2)
    harness.source.add(*(NOON - timedelta(minutes=minute // 3) for minute in range(9)))
    harness.source.add(*[NOON] * 4, project=OTHER)
    with suppress(CrashError):
        harness.poller(CrashSchedule(step, after=after)).poll(harness.stream)
    harness.source.triage(3, "closed")
    harness.sweep()
    harness.assert_every_version_once()


def test_an_issue_that_is_only_seen_again_never_comes_again(harness: IssuesHarness) -> None:
    """A scan moves last_seen of all of them, day after day, and a change in between comes once."""
    harness.source.add(*[NOON] * 8)
    for day in range(4):
        for number in range(8):
            harness.source.see(number, harness.now())
        harness.sweep()
        harness.source.triage(day, "closed")
    harness.sweep()
    assert sum(map(len, harness.versions().values())) == 8 + 4
    harness.assert_every_version_once()


def test_triage_that_moves_no_date_is_found_within_a_day(harness: IssuesHarness) -> None:
    """The passes do not see it, a sweep does; and so does one that is taken back."""
    harness.source.add(*(NOON - timedelta(hours=hour) for hour in range(8)))
    harness.sweep()
    harness.now.advance(hours=1)
    for status in ("closed", "open_new"):
        harness.source.triage(7, status)
        harness.poll()
        before = harness.versions()[PROJECT, "issue-7"]
        harness.sweep()
        assert harness.versions()[PROJECT, "issue-7"] == [*before, status]
    harness.assert_every_version_once()


def test_quiet_projects_cost_a_search_each(harness: IssuesHarness) -> None:
    """Whatever their number of issues."""
    harness.source.add(*(NOON - timedelta(hours=1) for _ in range(9)))
    harness.poll()
    asked = len(harness.source.asked)
    for _ in range(5):
        harness.now.advance(minutes=5)
        harness.poll()
    assert len(harness.source.asked) == asked + 5 * 2


@pytest.mark.parametrize("spread", [3_600, 86_400])
def test_a_sweep_costs_less_than_two_searches_a_page(spread: int) -> None:
    """However the issues are spread over time; 100 pages of ten cost what 100 of a thousand do."""
    harness = IssuesHarness(page_size=10)
    harness.source.known_projects = (PROJECT,)
    harness.source.add(*(NOON - timedelta(seconds=600 + number * 7919 % spread) for number in range(1_000)))
    harness.poll()
    asked = len(harness.source.asked)
    harness.sweep()
    assert len(harness.source.asked) - asked < 2 * 100 + 1


def test_a_sweep_is_cut_short_by_the_polls_time_and_gone_on_with(harness: IssuesHarness) -> None:
    """Its progress is kept, and what is new comes first."""
    harness.source.add(*(NOON - timedelta(hours=hour) for hour in range(60)))
    harness.poll()
    for number in range(0, 60, 7):
        harness.source.triage(number, "closed")
    harness.now.advance(days=1)
    harness.source.on_ask = lambda _: harness.now.advance(seconds=20)
    polls = until_swept(harness, after=NOON, every=timedelta(minutes=5))
    assert polls > 2
    harness.source.on_ask = lambda _: None
    harness.assert_every_version_once()


def until_swept(harness: IssuesHarness, *, after: datetime, every: timedelta = timedelta()) -> int:
    """Poll until a sweep that began after a time is complete, and return how many polls that took."""
    for polls in range(60):
        found = walk(harness, PROJECT)
        if found.swept_at > after and found.reached is None:
            return polls
        harness.now.time += every
        assert harness.poller().poll(harness.stream).finished
    raise AssertionError("the sweep makes no progress")


def walk(harness: IssuesHarness, project: str) -> Any:
    """Return the walk of a project."""
    return PublishedStore(harness.bucket, harness.stream.name).read()[0].walks[project]


def test_a_sweep_begins_a_day_after_the_last_one_began(harness: IssuesHarness) -> None:
    """However long it took, so that triage is found within a day."""
    harness.source.add(*(NOON - timedelta(hours=hour) for hour in range(30)))
    harness.sweep()
    harness.now.advance(hours=24)
    harness.source.on_ask = lambda _: harness.now.advance(seconds=40)
    until_swept(harness, after=NOON + timedelta(days=2) - timedelta(microseconds=1))
    harness.source.on_ask = lambda _: None
    began, ended = walk(harness, PROJECT).swept_at, harness.now()
    assert ended - began > timedelta(minutes=5)
    harness.source.triage(29, "closed")
    harness.now.time = began + timedelta(days=1)
    harness.poll()
    harness.assert_every_version_once()


def test_a_backlog_is_read_over_several_polls(harness: IssuesHarness) -> None:
    """Windows that were read are not read again, and no project waits for another one's backlog."""
    harness.source.add(*(NOON - timedelta(minutes=minute) for minute in range(90)))
    harness.source.add(*[NOON] * 3, project=OTHER)
    harness.bucket.delete(f"state/streams/{harness.stream.name}.json")
    harness.source.on_ask = lambda _: harness.now.advance(seconds=30)
    assert until_finished(harness) > 3
    harness.assert_every_version_once()


def until_finished(harness: IssuesHarness) -> int:
    """Poll until all is read, and return how many polls that took."""
    for polls in range(1, 60):
        if harness.poller().poll(harness.stream).finished:
            return polls
    raise AssertionError("it makes no progress")


def test_halving_goes_on_where_the_time_was_up(harness: IssuesHarness) -> None:
    """A week has 20 halvings before its first second is reached, and a poll has time for two searches."""
    start = NOON - timedelta(days=7)
    harness.source.add(*(start + timedelta(seconds=second // 5) for second in range(40)))
    harness.source.known_projects = (PROJECT,)
    harness.bucket.delete(f"state/streams/{harness.stream.name}.json")
    harness.source.on_ask = lambda _: harness.now.advance(seconds=121)
    until_finished(harness)
    harness.assert_every_version_once()


def test_more_hits_than_a_search_counts_are_read_in_parts(
    harness: IssuesHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """Down to a second; a second with more of them is a problem that is told, and what can be read is taken."""
    harness.source.cap = 20
    harness.source.add(*(NOON - timedelta(seconds=second) for second in range(100)))
    harness.poll()
    harness.assert_every_version_once()
    assert "secops.window_too_full" not in caplog.text
    harness.now.advance(minutes=20)
    harness.source.add(*[NOON + timedelta(minutes=15)] * 30)
    harness.source.add(NOON + timedelta(minutes=16))
    harness.poll()
    assert "secops.window_too_full" in caplog.text
    logged = harness.versions()
    assert len(logged) == 100 + 20 + 1
    assert (PROJECT, "issue-130") in logged


def test_a_second_that_a_poll_begins_late_is_read_by_the_next_one(
    harness: IssuesHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """It has more pages than a window may have, and all that a search counts: none of its issues is passed over."""
    second = NOON - timedelta(minutes=20)
    harness.source.add(*[second] * 20, second + timedelta(minutes=1))
    harness.source.known_projects = (PROJECT,)
    harness.bucket.delete(f"state/streams/{harness.stream.name}.json")
    harness.source.on_ask = lambda _: harness.now.advance(seconds=30)
    assert until_finished(harness) > 2
    assert "secops.window_too_full" not in caplog.text
    harness.assert_every_version_once()


def test_ties_that_pages_leave_out_are_read_in_smaller_parts(harness: IssuesHarness) -> None:
    """Fewer distinct hits than the search counts means that pages have left some out."""
    harness.source.unstable_ties = True
    harness.source.add(*(NOON - timedelta(seconds=second // 3) for second in range(15)))
    harness.poll()
    harness.assert_every_version_once()


def test_a_source_that_counts_otherwise_does_not_divide_every_second(
    harness: IssuesHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """A page that was the only one has left nothing out; it is told, and costs no more."""
    harness.source.add(*[NOON] * 2)
    harness.source.on_answer = lambda page: replace(page, total=3)
    asked = len(harness.source.asked)
    harness.poll()
    assert len(harness.source.asked) == asked + 2
    assert "read 2 of 3 issues of project 1 last seen in the window from" in caplog.text
    harness.assert_every_version_once()


def test_one_project_that_fails_does_not_stop_the_others(harness: IssuesHarness) -> None:
    """Its error is the condition of the stream until it is gone."""
    harness.source.add(*[NOON] * 2)
    harness.source.add(*[NOON] * 2, project=OTHER)

    def refuse(_: int) -> None:
        if harness.source.asked[-1].project == PROJECT:
            raise TransientError("answered without success")

    harness.source.on_ask = refuse
    for _ in range(2):
        with pytest.raises(TransientError):
            harness.sweep()
    assert {project for project, _ in harness.versions()} == {OTHER}
    condition = stream_conditions(harness.bucket).read(harness.stream.name)
    assert condition
    assert condition.reason == "answered without success"
    harness.source.on_ask = lambda _: None
    harness.poll()
    assert stream_conditions(harness.bucket).read(harness.stream.name) is None
    harness.assert_every_version_once()


@pytest.mark.parametrize("error", [KeyRefused("401"), TransientError("429", error_type="quota_spent")])
def test_a_refused_key_is_asked_for_once(harness: IssuesHarness, error: MeshError) -> None:
    """It is not about the project."""
    harness.source.on_ask = lambda _: fail(error)
    asked = len(harness.source.asked)
    with pytest.raises(type(error)):
        harness.poll()
    assert len(harness.source.asked) == asked + 1


def test_a_token_that_has_died_begins_its_window_again(harness: IssuesHarness) -> None:
    """With the next poll, and without a repetition."""
    harness.source.add(*[NOON - timedelta(minutes=20)] * 9)
    harness.bucket.delete(f"state/streams/{harness.stream.name}.json")
    harness.source.on_ask = lambda _: harness.source.expired.update({"3", "6"})
    with pytest.raises(RequestRefused):
        harness.poll()
    harness.source.on_ask = lambda _: None
    harness.source.expired = set()
    harness.poll()
    harness.assert_every_version_once()


def test_a_token_that_leads_back_is_trouble(harness: IssuesHarness) -> None:
    """It would lead there for ever."""
    harness.source.add(*[NOON] * 9)
    first: list[IssuePage] = []

    def again(page: IssuePage) -> IssuePage:
        first.append(page)
        return first[0]

    harness.source.on_answer = again
    with pytest.raises(TransientError, match="leads back to the same page"):
        harness.poll()


def test_without_a_project_the_stream_is_misconfigured(harness: IssuesHarness) -> None:
    """The condition says so at once."""
    harness.source.known_projects = ()
    with pytest.raises(Misconfigured):
        harness.poll()
    condition = stream_conditions(harness.bucket).read(harness.stream.name)
    assert condition
    assert condition.blocks


def test_a_new_project_is_read_from_the_first_walks_begin(harness: IssuesHarness) -> None:
    """A project's own walk begins when it is first seen."""
    harness.now.advance(days=40)
    harness.source.known_projects += ("3",)
    harness.source.add(NOON - timedelta(days=6), project="3")
    harness.poll()
    assert harness.versions() == {("3", "issue-0"): ["open_new"]}


def test_what_was_last_seen_before_the_first_walk_is_not_read(harness: IssuesHarness) -> None:
    """Neither by a sweep, until a scan sees it again."""
    old = SimpleIssue(PROJECT, "old", NOON - timedelta(days=8))
    harness.source.put(old)
    harness.sweep()
    assert not harness.versions()
    harness.source.see(0, harness.now())
    harness.poll()
    harness.assert_every_version_once()


def test_a_clock_that_is_ahead_skips_nothing(harness: IssuesHarness) -> None:
    """A window is read up to the source's time, and no window excludes dates ahead of ours."""
    harness.source.add(NOON + timedelta(hours=1))
    harness.poll()
    harness.assert_every_version_once()
    harness.source.on_answer = lambda page: replace(page, answered=harness.now() - timedelta(hours=1))
    harness.now.advance(hours=2)
    harness.poll()
    assert walk(harness, PROJECT).read == NOON + timedelta(hours=1) - OVERLAP


def test_the_walk_is_told(harness: IssuesHarness) -> None:
    """Status knows when everything was read last."""
    harness.now.advance(minutes=5)
    harness.poll()
    hint = PublishedStore(harness.bucket, harness.stream.name).read()[0]
    assert hint.pass_began == harness.now()
    assert isinstance(hint.since, datetime)
