"""A list by update: every last version is in exactly one page, in any history, and a quiet list costs one request.

HISTORIES is the number of histories to try; `make histories` tries 100,000.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.secops_forwarder.importer.chunks import Limits
from shared.contracts.outcomes import TransientError
from shared.operations.feed_conditions import stream_conditions
from shared.operations.stream_log import StreamReader
from shared.operations.stream_status import stream_status
from shared.streams.definition import Stream
from tests.support.doubles import NOON
from tests.support.streams import CrashError, CrashSchedule, changed
from tests.support.updates import UpdatesHarness, key
from tests.unit.services.secops_forwarder.poll.test_histories import ACTION, Action, act

_HISTORIES = int(os.environ.get("HISTORIES", "60"))
UPDATES: st.SearchStrategy[Action] = st.tuples(
    st.just("update"), st.lists(st.tuples(st.integers(0, 8), st.integers(0, 599)), min_size=1, max_size=5)
)
UPDATE_ACTION = st.one_of(UPDATES, ACTION.filter(lambda action: action[0] != "add undated"))


@pytest.fixture
def harness() -> UpdatesHarness:
    """Return a list that was read once and is empty; a page has three items."""
    harness = UpdatesHarness()
    harness.page_size = 3
    harness.poll()
    return harness


@settings(max_examples=_HISTORIES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions=st.lists(UPDATE_ACTION, max_size=14), page_size=st.integers(1, 3), logs=st.integers(1, 4))
def test_no_history_loses_or_repeats_an_update(actions: Sequence[Action], page_size: int, logs: int) -> None:
    """Late updates, deaths at every request and write, concurrent polls, expired scrolls and errors, in any order."""
    harness = UpdatesHarness()
    harness.page_size, harness.limits = page_size, Limits(bytes=100_000, logs=logs)
    harness.poll()
    for name, value in actions:
        harness.source.on_ask = lambda _: None
        happen(harness, name, value)
    harness.source.on_ask = lambda _: None
    harness.poll()
    harness.assert_last_versions_logged_once()


def happen(harness: UpdatesHarness, name: str, value: Any) -> None:
    """Let one event happen."""
    if name != "update":
        act(harness, name, value)
        return
    for number, age in value:
        harness.update(number, age)


def add_hours(harness: UpdatesHarness, count: int) -> None:
    """Add items that are further apart than any overlap."""
    harness.now.advance(hours=count)
    harness.source.add(*(NOON + timedelta(hours=hour) for hour in range(count)))


def test_a_change_comes_as_a_version_and_an_unchanged_item_never_again(harness: UpdatesHarness) -> None:
    """A changed item is logged as a new version, also when older than every overlap; an unchanged one never again."""
    first, *_ = harness.source.add(*(NOON + timedelta(minutes=minute) for minute in range(8)))
    harness.now.advance(hours=1)
    harness.poll()
    harness.now.advance(days=30)
    harness.source.update(first, harness.now())
    harness.poll()
    harness.assert_last_versions_logged_once()
    assert sum(harness.logged().values()) == 9


def test_a_quiet_list_costs_one_request(harness: UpdatesHarness) -> None:
    """A quiet list of any length costs one request."""
    harness.source.add(*(NOON for _ in range(50)))
    harness.poll()
    harness.now.advance(hours=1)
    harness.poll()
    asked = len(harness.source.asked)
    for _ in range(5):
        harness.now.advance(minutes=5)
        harness.poll()
    assert len(harness.source.asked) == asked + 5


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(1, 16))
def test_a_death_at_any_step_loses_and_repeats_nothing(harness: UpdatesHarness, step: int, *, after: bool) -> None:
    """The next poll continues after the dead one's pages, or from the front."""
    harness.limits = Limits(bytes=100_000, logs=2)
    add_hours(harness, 10)
    try:
        harness.poller(CrashSchedule(step, after=after)).poll(harness.stream)
    except CrashError:
        harness.update(3)
    harness.poll()
    harness.assert_last_versions_logged_once()


def test_a_backlog_that_takes_too_long_is_read_from_its_front_again(
    harness: UpdatesHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """The restart is logged and repeats no item; an expired scroll is restarted in the same poll."""
    harness.source.add(*(NOON for _ in range(30)))
    harness.source.on_ask = lambda _: harness.now.advance(seconds=1)
    assert not harness.poller(deadline=timedelta(seconds=3)).poll(harness.stream).finished
    assert "secops.pass_too_long" in caplog.text
    assert 0 < len(harness.logged()) < 30

    def expire(number: int) -> None:
        if number == 7:
            harness.source.expired |= {question.cursor for question in harness.source.asked if question.cursor}

    harness.source.on_ask = expire
    harness.poll()
    assert len(harness.source.expired) == 2
    harness.assert_last_versions_logged_once()


def test_passes_that_never_end_are_one_problem_until_one_does(harness: UpdatesHarness) -> None:
    """Every poll begins at the front, so a backlog that one poll has no time for stays unread however many come."""
    oldest, *_ = harness.source.add(*(NOON + timedelta(seconds=second) for second in range(30)))
    harness.source.on_ask = lambda _: harness.now.advance(seconds=1)
    for _ in range(4):
        harness.poller(deadline=timedelta(seconds=3)).poll(harness.stream)
        harness.now.advance(minutes=5)
    assert key(oldest, NOON) not in harness.logged()
    log = StreamReader(harness.bucket, harness.stream.name).read(harness.now())
    assert log
    [problem] = stream_status(log, [], harness.now()).conditions()
    assert str(problem).startswith("alerts: no pass has ended since 2026-11-21T12:00Z: there are more changes")
    harness.poll()
    harness.assert_last_versions_logged_once()
    assert stream_conditions(harness.bucket).read(harness.stream.name) is None


def test_trouble_in_the_middle_keeps_what_was_read(harness: UpdatesHarness) -> None:
    """After an error newer items are logged, and older ones are still searched for."""
    add_hours(harness, 9)

    def fail(number: int) -> None:
        if number == 3:
            raise TransientError("429")

    harness.source.on_ask = fail
    with pytest.raises(TransientError):
        harness.poll()
    assert 0 < len(harness.logged()) < 9
    harness.poll()
    harness.assert_last_versions_logged_once()


@pytest.mark.parametrize("order", ["updated_at+", "updated_at", "id-"])
def test_a_list_by_update_is_read_by_its_date_alone(harness: UpdatesHarness, order: str) -> None:
    """The list is read with the last updated item first."""
    with pytest.raises(ValueError, match="read by its date alone, as updated_at-"):
        changed(harness.stream, order=order)
    assert isinstance(harness.stream, Stream)
