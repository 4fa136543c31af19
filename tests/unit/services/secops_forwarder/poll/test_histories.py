"""Any history of arrivals, crashes, errors and concurrent polls leaves every notification in exactly one page.

HISTORIES is the number of histories; `make histories` runs 100,000.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.secops_forwarder.importer.chunks import Limits
from shared.contracts.outcomes import MeshError, TransientError
from shared.virustotal.errors import RequestRefused
from tests.support.streams import CrashError, CrashSchedule, ForwarderHarness

Action = tuple[str, Any]

_HISTORIES = int(os.environ.get("HISTORIES", "60"))

# Less than the overlap: nothing is shown later than that after its date.
AGES = st.lists(st.integers(0, 599), min_size=1, max_size=9)
ACTION: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("add"), AGES),
    st.tuples(st.just("add undated"), AGES),
    st.tuples(st.just("arrive"), st.tuples(st.integers(1, 6), AGES)),
    st.tuples(st.just("die"), st.integers(1, 14)),
    st.tuples(st.just("die after"), st.integers(1, 14)),
    st.tuples(st.just("poll between"), st.integers(1, 6)),
    st.tuples(st.just("trouble"), st.integers(1, 6)),
    st.tuples(st.just("refuse"), st.integers(1, 6)),
    st.tuples(st.just("expire"), st.none()),
    st.tuples(st.just("slow"), st.integers(1, 200)),
    st.tuples(st.just("lose the hint"), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 1200)),
    st.tuples(st.just("wait"), st.just(86_400)),
)


@settings(max_examples=_HISTORIES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions=st.lists(ACTION, max_size=14), page_size=st.integers(1, 3), logs=st.integers(1, 4))
# A source page that is taken in part holds what an earlier pass has brought, dated before the next pass's begin.
@example(
    actions=[("add", [0, 0, 0, 0]), ("poll between", 1), ("wait", 601), ("add", [0, 0]), ("die", 4)],
    page_size=3,
    logs=1,
)
# A pass that brings what was shown late comes by what was logged before, although the log knows much newer items.
@example(
    actions=[("add", [0, 0]), ("die", 4), ("add", [1, 1]), ("wait", 601), ("add", [0])],
    page_size=1,
    logs=1,
)
def test_no_history_loses_or_repeats_a_notification(actions: Sequence[Action], page_size: int, logs: int) -> None:
    """Late items, crashes at every request and write, concurrent polls, refused cursors and errors, in any order."""
    harness = ForwarderHarness()
    harness.page_size, harness.limits = page_size, Limits(bytes=100_000, logs=logs)
    # From here on nothing is before the first pass.
    harness.poll()
    for name, value in actions:
        harness.source.on_ask = lambda _: None
        act(harness, name, value)
    harness.source.on_ask = lambda _: None
    harness.poll()
    harness.assert_all_logged_once()


def act(harness: ForwarderHarness, name: str, value: Any) -> None:
    """Run one event."""
    match name:
        case "add" | "add undated":
            add(harness, value, undated=name == "add undated")
        case "wait":
            harness.now.advance(seconds=value)
        case "lose the hint":
            # Before the first page nothing else knows where the first pass begins.
            if any(harness.pages()):
                harness.bucket.delete(f"state/streams/{harness.stream.name}.json")
        case "expire":
            harness.source.expired |= {question.cursor for question in harness.source.asked if question.cursor}
        case "die" | "die after":
            with suppress(CrashError):
                harness.poller(CrashSchedule(value, after=name == "die after")).poll(harness.stream)
        case _:
            poll_through(harness, name, value)


def add(harness: ForwarderHarness, ages: Sequence[int], *, undated: bool = False) -> None:
    """Make the source show items with dates of so many seconds ago."""
    new = harness.source.add(*(harness.now() - timedelta(seconds=age) for age in ages))
    if undated:
        harness.source.undated |= set(new)


def poll_through(harness: ForwarderHarness, name: str, value: Any) -> None:
    """Poll while an event happens before one of the requests, or before all of them."""
    moment, detail = value if isinstance(value, tuple) else (value, None)
    happen = {
        "arrive": lambda: add(harness, detail),
        "poll between": harness.poll,
        "trouble": lambda: _fail(TransientError("429")),
        "refuse": lambda: _fail(RequestRefused("400 Invalid cursor"), when=harness.source.asked[-1].cursor is not None),
        "slow": lambda: harness.now.advance(seconds=moment),
    }[name]
    harness.source.on_ask = (
        _always(happen) if name == "slow" else _once(harness, len(harness.source.asked) + moment, happen)
    )
    with suppress(MeshError):
        harness.poll()


def _always(happen: Callable[[], None]) -> Callable[[int], None]:
    return lambda _: happen()


def _once(harness: ForwarderHarness, moment: int, happen: Callable[[], None]) -> Callable[[int], None]:
    def interrupt(number: int) -> None:
        if number == moment:
            harness.source.on_ask = lambda _: None
            happen()

    return interrupt


def _fail(error: Exception, *, when: bool = True) -> None:
    if when:
        raise error
