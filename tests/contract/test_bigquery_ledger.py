"""One suite for the ledger and its in-memory fake: the furthest state of each minute."""

from dataclasses import asdict, fields
from datetime import datetime, timedelta
from itertools import permutations
from typing import TypedDict

import pytest

from shared.contracts.interfaces import LedgerRow, MinuteState, Origin
from shared.contracts.outcomes import Misconfigured
from shared.gcp.ledger import BigQueryLedger
from shared.operations.open_dead_letters import DeadLetterReader
from shared.warehouse.tables import LEDGER
from tests.support.doubles import NOON
from tests.support.memory import MemoryLedger
from tests.support.operations import mesh_of
from tests.support.warehouse import Warehouse, utc

MINUTE, NEXT = utc(10, 50), utc(10, 51)
Ledger = BigQueryLedger | MemoryLedger


@pytest.fixture(params=["memory", "emulator"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """Return the fake, or the adapter on the BigQuery emulator."""
    if request.param == "memory":
        return MemoryLedger()
    warehouse: Warehouse = request.getfixturevalue("warehouse")
    return warehouse.ledger


class _Why(TypedDict):
    reason: str
    error_type: str


WHY: _Why = {"reason": "why", "error_type": "request_refused"}


def record(ledger: Ledger, minute: datetime = MINUTE, feed: str = "domains", **events: int) -> None:
    """Record events of a minute at given minutes after noon; dead letters get a reason."""
    for event, after in events.items():
        at, died = NOON + timedelta(minutes=after), event == "dead"
        ledger.record([LedgerRow(event, at, feed, minute, **WHY) if died else LedgerRow(event, at, feed, minute)])


def test_a_ledger_knows_nothing_at_first(ledger: Ledger) -> None:
    """A minute without events has no state, which is not an error."""
    assert not ledger.states("domains", MINUTE, NEXT)


def test_merged_beats_loaded_beats_the_rest(ledger: Ledger) -> None:
    """A dead letter or an absence that is written later does not replace the state "loaded"."""
    record(ledger, utc(1, 0), landed=3, loaded=2, merged=1)
    record(ledger, utc(1, 1), landed=2, loaded=1, dead=3)
    record(ledger, utc(1, 2), loaded=1, absent=9)
    states = [state.state for state in ledger.states("domains", utc(1, 0), utc(1, 2))]
    assert states == ["merged", "loaded", "loaded"]


def test_of_landed_dead_and_absent_the_newest_counts(ledger: Ledger) -> None:
    """Of landed, dead and absent, the newest event gives the state."""
    orders = list(permutations(["landed", "dead", "absent"]))
    for number, order in enumerate(orders):
        record(ledger, utc(2, number), "domains", **{event: after for after, event in enumerate(order)})
    states = ledger.states("domains", utc(2, 0), utc(2, 59))
    assert [state.state for state in states] == [order[-1] for order in orders]


def test_a_letter_that_the_source_has_changed_leaves_the_minute_as_it_is(ledger: Ledger) -> None:
    """A minute that landed is still in progress despite a newer dead letter about a change.

    Alone, the letter counts.
    """
    changed: _Why = {"reason": "why", "error_type": "source_changed"}
    for number, event in enumerate(("landed", "absent", "loaded", "merged", "")):
        minute = utc(5, number)
        if event:
            ledger.record([LedgerRow(event, NOON, "domains", minute)])
        ledger.record([LedgerRow("dead", NOON + timedelta(minutes=9), "domains", minute, **changed)])
    states = ledger.states("domains", utc(5, 0), utc(5, 4))
    assert [state.state for state in states] == ["landed", "absent", "loaded", "merged", "dead"]


def test_a_state_has_its_time_and_its_reason(ledger: Ledger) -> None:
    """A minute has a reason only while its state is dead."""
    record(ledger, MINUTE, dead=1)
    record(ledger, NEXT, dead=1, loaded=2)
    assert list(ledger.states("domains", MINUTE, NEXT)) == [
        MinuteState(MINUTE, "dead", NOON + timedelta(minutes=1), "why", error_type="request_refused"),
        MinuteState(NEXT, "loaded", NOON + timedelta(minutes=2)),
    ]


@pytest.mark.parametrize("event", ["planned", "asked"])
def test_what_was_only_asked_for_is_due(ledger: Ledger, event: str) -> None:
    """A minute that was only planned or requested is due; any other event is further, whatever its time."""
    others = ("landed", "loaded", "merged", "absent", "dead")
    record(ledger, utc(5, 0), "domains", **{event: 9})
    for number, other in enumerate(others, 1):
        record(ledger, utc(5, number), "domains", **{event: 9, other: 1})
    changed = LedgerRow("dead", NOON, "domains", utc(5, 6), reason="why", error_type="source_changed")
    ledger.record([LedgerRow(event, NOON + timedelta(hours=1), "domains", utc(5, 6)), changed])
    states = [state.state for state in ledger.states("domains", utc(5, 0), utc(5, 6))]
    assert states == ["due", *others, "dead"]


def test_a_feed_begins_where_it_was_planned(ledger: Ledger) -> None:
    """The overview has the first planned minute and the first and last minute with another event, of one feed only."""
    assert ledger.origin("domains", utc(0, 0), utc(23, 59)) == Origin()
    record(ledger, utc(6, 0), planned=0)
    record(ledger, utc(6, 9), planned=1)
    record(ledger, utc(5, 0), asked=0)
    assert ledger.origin("domains", utc(0, 0), utc(23, 59)) == Origin(planned=utc(6, 0))
    for minute in (7, 8):
        record(ledger, utc(minute, 0), landed=0)
    record(ledger, utc(1, 0), feed="urls", planned=0, landed=0)
    assert ledger.origin("domains", utc(0, 0), utc(23, 59)) == Origin(utc(6, 0), utc(7, 0), utc(8, 0))
    assert ledger.origin("domains", utc(6, 1), utc(7, 30)) == Origin(utc(6, 9), utc(7, 0), utc(7, 0))


def test_a_row_of_the_first_release_has_the_type_of_its_reason(ledger: Ledger) -> None:
    """A row written before the type column existed gets its type from its reason."""
    reasons = {1: "attempts spent: 100 deliveries by downloader", 2: "source changed: a has landed", 3: "who knows"}
    ledger.record([LedgerRow("dead", NOON, "domains", utc(4, number), reason=why) for number, why in reasons.items()])
    states = ledger.states("domains", utc(4, 1), utc(4, 3))
    assert [state.error_type for state in states] == ["attempts_spent", "source_changed", "unknown"]


def test_a_merge_alone_says_nothing_of_the_lines(ledger: Ledger) -> None:
    """A restored ledger knows that a minute is merged, and has no account of it until the account is recorded."""
    minute = utc(3, 0)
    ledger.record([LedgerRow("merged", NOON, "domains", minute, rows=5)])
    assert [state.counted for state in ledger.states("domains", minute, minute)] == [False]
    ledger.record([LedgerRow("loaded", NOON, "domains", minute, lines=5)])
    known = [(state.state, state.counted, state.rows) for state in ledger.states("domains", minute, minute)]
    assert known == [("merged", True, 5)]


def test_states_are_those_of_a_range_of_one_feed(ledger: Ledger) -> None:
    """States include both ends, oldest first; dead letters without a feed or minute belong to no state."""
    for minute in (12, 10, 13, 11):
        record(ledger, utc(3, minute), landed=0)
    record(ledger, utc(3, 12), feed="urls", merged=0)
    ledger.record([LedgerRow("dead", NOON, reason="malformed"), LedgerRow("dead", NOON, "domains")])
    states = ledger.states("domains", utc(3, 11), utc(3, 12))
    assert [(state.minute, state.state) for state in states] == [(utc(3, 11), "landed"), (utc(3, 12), "landed")]


FULL = LedgerRow(
    crc32c="0a1b2c3d",
    event="dead",
    at=NOON,
    feed="domains",
    minute=MINUTE,
    lines=10,
    rejected=1,
    bytes=10**12,
    rows=9,
    uri="gs://landing/x",
    job_id="gti-mesh-1",
    reason='a "reason" with é',
    source="downloader",
    attempts=100,
    message_id="17",
    error_type="source_changed",
)


def test_every_field_is_kept(warehouse: Warehouse) -> None:
    """The table's columns are the row's fields, and rows are read back as written, None as NULL."""
    assert {column.name for column in LEDGER.columns} == {field.name for field in fields(LedgerRow)}
    warehouse.ledger.record([FULL, LedgerRow("dead", NOON)])
    kept = [LedgerRow(**row) for row in warehouse.run(f"SELECT * FROM {warehouse.dataset}.minutes")]  # noqa: S608
    assert sorted(kept, key=lambda row: row.feed or "") == [LedgerRow("dead", NOON), FULL]
    assert all(value is not None for value in asdict(FULL).values())


def test_an_account_is_the_furthest_events_own(warehouse: Warehouse) -> None:
    """A merged minute keeps the lines, bytes and job of earlier events, and the latest rejects."""
    later = NOON + timedelta(minutes=5)
    warehouse.ledger.record(
        [
            LedgerRow("landed", later, "domains", MINUTE, lines=10, rejected=1, bytes=100, uri="gs://x"),
            LedgerRow("loaded", NOON, "domains", MINUTE, lines=10, rejected=2, job_id="j"),
            LedgerRow("merged", NOON, "domains", MINUTE, rows=8),
            LedgerRow(
                "dead", later, "domains", MINUTE, reason="source changed", attempts=1, error_type="source_changed"
            ),
        ]
    )
    columns = "state, lines, rejected, bytes, `rows`, uri, job_id, reason, error_type, attempts"
    assert warehouse.read("minute_status", columns) == [("merged", 10, 2, 100, 8, "gs://x", "j", None, None, None)]


def test_a_dead_row_without_a_message_is_no_letter(warehouse: Warehouse) -> None:
    """The row of a merged minute was changed by hand: audit and status read the letters as before."""
    warehouse.ledger.record(
        [
            LedgerRow("dead", NOON, "domains", MINUTE, message_id="17", **WHY),
            LedgerRow("dead", NOON, "domains", NEXT, lines=3),
            LedgerRow("dead", NOON, "domains"),
        ]
    )
    found = DeadLetterReader(mesh_of(warehouse)).read(NOON + timedelta(hours=1))
    assert [letter.message_id for letter in found] == ["17"]


def test_without_tables_the_error_says_what_to_do(warehouse: Warehouse) -> None:
    """Reading and writing without tables raise an error that says how to make them."""
    missing = BigQueryLedger(warehouse.client, "no_such_dataset")
    with pytest.raises(Misconfigured, match="run `gti-mesh provision`"):
        missing.states("domains", MINUTE, NEXT)
    with pytest.raises(Misconfigured, match="run `gti-mesh provision`"):
        missing.record([LedgerRow("dead", NOON)])
