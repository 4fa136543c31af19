"""Record dead letters in the ledger; malformed ones too, since a dead letter must not be dead-lettered again."""

import logging
from collections.abc import Callable
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from shared.contracts.dead_letters import (
    SOURCE_MESSAGE_ID,
    SOURCE_SUBSCRIPTION,
    dead_attempts,
    dead_error_type,
    dead_reason,
    is_about_secops,
)
from shared.contracts.interfaces import LedgerRow, LedgerWriter
from shared.contracts.messages import Name
from shared.contracts.minutes import parse_minute
from shared.contracts.push_envelope import Delivery, PushedMessage
from shared.warehouse.ledger import ledger_holds

log = logging.getLogger(__name__)

# An object's name has up to 1,024 bytes (cloud.google.com/storage/docs/objects), and a bucket's 222.
_LONGEST_ADDRESS = 1300
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_BODY: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


class DeadLetters:
    """Writes a `dead` row for every message of every dead-letter topic."""

    def __init__(self, *, ledger: LedgerWriter, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._now = now

    def record(self, delivery: Delivery) -> None:
        """Append the row; feed and minute stay empty if the message has none."""
        row = dead_row(delivery.message, self._now())
        self._ledger.record([row])
        log.error("loader.dead: %s", row.reason, extra={"fields": {"error_type": row.error_type}})


def dead_row(message: PushedMessage, now: datetime) -> LedgerRow:
    """Return the ledger row of a dead letter; no message content can make this fail."""
    attributes = message.attributes
    fields = {**_body(message.data), **attributes}
    error_type = dead_error_type(attributes)
    source = attributes.get(SOURCE_SUBSCRIPTION)
    # A bad message says nothing about the minute it names, which may be merged, or missing and still to be requested.
    # Nor does a letter about SecOps: BigQuery gets the minute by another subscription.
    names_minute = error_type != "invalid_message" and not is_about_secops(source)
    return LedgerRow(
        "dead",
        _moment(message.publish_time) or now,
        _feed(fields.get("feed")),
        _minute(fields.get("minute"), now) if names_minute else None,
        uri=_text(fields.get("uri")),
        reason=dead_reason(attributes),
        source=source,
        attempts=dead_attempts(attributes),
        message_id=attributes.get(SOURCE_MESSAGE_ID) or message.message_id,
        error_type=error_type,
    )


def _body(data: bytes) -> dict[str, object]:
    try:
        return _BODY.validate_json(data)
    except ValidationError:
        return {}


def _text(value: object) -> str | None:
    """Return the body's `uri` if it has one; it names the page or the landing that a letter is about."""
    return value if isinstance(value, str) and len(value) <= _LONGEST_ADDRESS else None


def _feed(value: object) -> str | None:
    try:
        return _NAME.validate_python(value)
    except ValidationError:
        return None


def _minute(value: object, now: datetime) -> datetime | None:
    try:
        minute = parse_minute(value)
    except ValueError:
        return None
    return minute if ledger_holds(minute, now) else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
