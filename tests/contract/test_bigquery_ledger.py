"""One suite for the ledger and its in-memory twin: what a minute's furthest state is."""

from dataclasses import asdict, fields
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from shared.gcp.ledger import BigQueryLedger
from shared.memory import MemoryLedger
from shared.outcomes import Misconfigured
from shared.ports import LedgerRow, MinuteState
from shared.warehouse.tables import LEDGER
from tests.doubles import NOON
from tests.warehouse import Warehouse, utc

MINUTE, NEXT = utc(10, 50), utc(10, 51)
Ledger = BigQueryLedger | MemoryLedger


@pytest.fixture(params=["memory", "emulator"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """Return the twin, or the adapter on the BigQuery emulator."""
    if request.param == "memory":
        return MemoryLedger()
    warehouse: Warehouse = request.getfixturevalue("warehouse")
    return warehouse.ledger


def record(ledger: Ledger, minute: datetime = MINUTE, feed: str = "domains", **events: int) -> None:
    """Record events of a minute, each some minutes after noon; deaths have a reason."""
    ledger.record(
        [
            LedgerRow(event, NOON + timedelta(minutes=after), feed, minute, reason="why" if event == "dead" else None)
            for event, after in events.items()
        ]
    )


def test_a_ledger_knows_nothing_at_first(ledger: Ledger) -> None:
    """No state is an answer, not an error."""
    assert not ledger.states("domains", MINUTE, NEXT)


def test_merged_beats_loaded_beats_the_rest(ledger: Ledger) -> None:
    """Whenever it was written: a late dead letter or absence does not undo what was loaded."""
    record(ledger, utc(1, 0), landed=3, loaded=2, merged=1)
    record(ledger, utc(1, 1), landed=2, loaded=1, dead=3)
    record(ledger, utc(1, 2), loaded=1, absent=9)
    states = [state.state for state in ledger.states("domains", utc(1, 0), utc(1, 2))]
    assert states == ["merged", "loaded", "loaded"]


def test_of_landed_dead_and_absent_the_newest_counts(ledger: Ledger) -> None:
    """What came last is how it stands."""
    orders = list(permutations(["landed", "dead", "absent"]))
    for number, order in enumerate(orders):
        record(ledger, utc(2, number), "domains", **{event: after for after, event in enumerate(order)})
    states = ledger.states("domains", utc(2, 0), utc(2, 59))
    assert [state.state for state in states] == [order[-1] for order in orders]


def test_a_state_has_its_time_and_its_reason(ledger: Ledger) -> None:
    """The reason belongs to the dead, not to what became of the minute later."""
    record(ledger, MINUTE, dead=1)
    record(ledger, NEXT, dead=1, loaded=2)
    assert list(ledger.states("domains", MINUTE, NEXT)) == [
        MinuteState(MINUTE, "dead", NOON + timedelta(minutes=1), "why"),
        MinuteState(NEXT, "loaded", NOON + timedelta(minutes=2)),
    ]


def test_a_merge_alone_says_nothing_of_the_lines(ledger: Ledger) -> None:
    """A ledger restored in between knows that a minute is merged, and has no account of it until it is told."""
    minute = utc(3, 0)
    ledger.record([LedgerRow("merged", NOON, "domains", minute, rows=5)])
    assert [state.counted for state in ledger.states("domains", minute, minute)] == [False]
    ledger.record([LedgerRow("loaded", NOON, "domains", minute, lines=5)])
    assert [(state.state, state.counted) for state in ledger.states("domains", minute, minute)] == [("merged", True)]


def test_states_are_those_of_a_range_of_one_feed(ledger: Ledger) -> None:
    """Both ends inclusive, oldest first; dead letters without feed or minute are nobody's state."""
    for minute in (12, 10, 13, 11):
        record(ledger, utc(3, minute), landed=0)
    record(ledger, utc(3, 12), feed="urls", merged=0)
    ledger.record([LedgerRow("dead", NOON, reason="malformed"), LedgerRow("dead", NOON, "domains")])
    states = ledger.states("domains", utc(3, 11), utc(3, 12))
    assert [(state.minute, state.state) for state in states] == [(utc(3, 11), "landed"), (utc(3, 12), "landed")]


FULL = LedgerRow(
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
)


def test_every_field_is_kept(warehouse: Warehouse) -> None:
    """The table's columns are the row's fields, and what is written comes back; None is NULL."""
    assert {column.name for column in LEDGER.columns} == {field.name for field in fields(LedgerRow)}
    warehouse.ledger.record([FULL, LedgerRow("dead", NOON)])
    kept = [LedgerRow(**row) for row in warehouse.run(f"SELECT * FROM {warehouse.dataset}.minutes")]  # noqa: S608
    assert sorted(kept, key=lambda row: row.feed or "") == [LedgerRow("dead", NOON), FULL]
    assert all(value is not None for value in asdict(FULL).values())


def test_an_account_is_the_furthest_events_own(warehouse: Warehouse) -> None:
    """A merged minute still shows the lines, bytes and job of the events before it, and the latest rejects."""
    later = NOON + timedelta(minutes=5)
    warehouse.ledger.record(
        [
            LedgerRow("landed", later, "domains", MINUTE, lines=10, rejected=1, bytes=100, uri="gs://x"),
            LedgerRow("loaded", NOON, "domains", MINUTE, lines=10, rejected=2, job_id="j"),
            LedgerRow("merged", NOON, "domains", MINUTE, rows=8),
            LedgerRow("dead", later, "domains", MINUTE, reason="source changed", attempts=1),
        ]
    )
    columns = "state, lines, rejected, bytes, `rows`, uri, job_id, reason, attempts"
    assert warehouse.read("minute_status", columns) == [("merged", 10, 2, 100, 8, "gs://x", "j", None, None)]


def test_without_tables_the_error_says_what_to_do(warehouse: Warehouse) -> None:
    """Reading and writing alike."""
    missing = BigQueryLedger(warehouse.client, "no_such_dataset")
    with pytest.raises(Misconfigured, match="run `gti-mesh provision`"):
        missing.states("domains", MINUTE, NEXT)
    with pytest.raises(Misconfigured, match="run `gti-mesh provision`"):
        missing.record([LedgerRow("dead", NOON)])
