"""The rows that the ledger accepts, and the ids by which BigQuery drops duplicates."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.contracts.dead_letters import dead_attempts
from shared.contracts.interfaces import LedgerRow
from shared.gcp.ledger import insert_id
from shared.warehouse.ledger import ledger_holds
from tests.support.doubles import NOON

ROW = LedgerRow("loaded", NOON, "domains", NOON, lines=5, rejected=0, job_id="j-1")


def test_the_same_row_a_moment_later_has_the_same_id() -> None:
    """A delivery that is repeated after a lost response writes the same facts with another time."""
    assert insert_id(ROW) == insert_id(replace(ROW, at=NOON + timedelta(seconds=9)))


@pytest.mark.parametrize("change", [{"event": "landed"}, {"rejected": 1}, {"job_id": "j-2"}, {"feed": None}])
def test_another_fact_is_another_row(change: dict[str, str | int | None]) -> None:
    """Only duplicates may be dropped."""
    assert insert_id(ROW) != insert_id(replace(ROW, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(("days", "held"), [(0, True), (-30, True), (-1824, True), (-1826, False), (1, False)])
def test_the_ledger_holds_what_its_partitions_take(days: int, held: bool) -> None:
    """insertAll refuses a row whose partition is too far away, and the message would be retried for ever."""
    assert ledger_holds(NOON + timedelta(days=days), NOON) is held


@pytest.mark.parametrize(("count", "attempts"), [("100", 100), ("", None), ("-1", None), ("٣", None), ("9" * 30, None)])
def test_a_count_of_attempts_is_read_only_when_it_is_one(count: str, attempts: int | None) -> None:
    """Any publisher can set attributes."""
    assert dead_attempts({"CloudPubSubDeadLetterSourceDeliveryCount": count}) == attempts
