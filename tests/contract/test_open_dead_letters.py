"""Which dead letters of the ledger need an operator."""

import base64
from datetime import timedelta

from services.loader.dead import dead_row
from shared.contracts.dead_letters import ERROR_TYPE, REASON, SECOPS_LANDINGS, SOURCE_SUBSCRIPTION
from shared.contracts.interfaces import LedgerRow
from shared.contracts.messages import MinuteLanded
from shared.contracts.push_envelope import PushedMessage
from shared.operations.open_dead_letters import unhandled_dead_letters
from shared.streams.landing_log import landing_delivery, landing_delivery_name
from tests.support.doubles import NOON
from tests.support.landings import HOUR, element, land_hour, line_of
from tests.support.operations import mesh_of
from tests.support.warehouse import Warehouse


def letter(landed: MinuteLanded, source: str) -> LedgerRow:
    """Return the row of a dead letter about a landing."""
    why = {ERROR_TYPE: "object_missing", REASON: "gone", SOURCE_SUBSCRIPTION: source}
    data = base64.b64encode(landed.body).decode()
    message = {"data": data, "attributes": {**landed.attributes, **why}, "messageId": source}
    return dead_row(PushedMessage.model_validate(message), NOON)


def test_a_letter_about_secops_is_open_until_the_hour_is_delivered(own_warehouse: Warehouse) -> None:
    """A merge resolves the loader's letter only, and the state of the hour is the loader's whatever SecOps lacks."""
    warehouse, mesh = own_warehouse, mesh_of(own_warehouse)
    landed = land_hour(warehouse.bucket, [line_of(element(0))])
    warehouse.ledger.record([LedgerRow("landed", NOON - timedelta(hours=1), landed.feed, HOUR)])
    warehouse.ledger.record([letter(landed, SECOPS_LANDINGS)])

    def is_open() -> dict[str, bool]:
        now = NOON + timedelta(hours=1)
        return {one.message_id: one.open for one in unhandled_dead_letters(mesh, now)}

    assert [one.state for one in warehouse.ledger.states(landed.feed, HOUR, HOUR)] == ["landed"]
    warehouse.ledger.record([letter(landed, "loader")])
    assert is_open() == {SECOPS_LANDINGS: True, "loader": True}
    warehouse.ledger.record([LedgerRow("merged", NOON + timedelta(minutes=9), landed.feed, HOUR)])
    assert is_open() == {SECOPS_LANDINGS: True, "loader": False}
    delivery = landing_delivery(warehouse.bucket, landed).model_copy(update={"done": 1, "accepted": 1})
    name = landing_delivery_name(warehouse.bucket, landed.uri)
    assert warehouse.bucket.create(name, delivery.model_dump_json().encode())
    assert is_open() == {SECOPS_LANDINGS: False, "loader": False}
