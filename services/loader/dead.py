"""Record dead letters in the ledger, whatever state they are in: a dead letter must not die again."""

import logging
from collections.abc import Callable
from datetime import datetime

import orjson
from pydantic import TypeAdapter, ValidationError

from shared.dead_letters import SOURCE_MESSAGE_ID, SOURCE_SUBSCRIPTION, dead_attempts, dead_reason
from shared.envelope import Delivery, PushedMessage
from shared.messages import Name
from shared.minutes import parse_minute
from shared.ports import LedgerRow, LedgerWriter
from shared.warehouse.ledger import ledger_holds

log = logging.getLogger(__name__)

# An object's name has up to 1,024 bytes (cloud.google.com/storage/docs/objects), and a bucket's 222.
_LONGEST_ADDRESS = 1300
_NAME: TypeAdapter[str] = TypeAdapter(Name)


class DeadLetters:
    """Writes a `dead` row for every message of every dead-letter topic."""

    def __init__(self, *, ledger: LedgerWriter, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._now = now

    def record(self, delivery: Delivery) -> None:
        """Append the row; feed and minute stay empty where the message does not say them."""
        row = dead_row(delivery.message, self._now())
        self._ledger.record([row])
        log.error("loader.dead: %s", row.reason)


def dead_row(message: PushedMessage, now: datetime) -> LedgerRow:
    """Return what the ledger keeps of a dead letter; nothing in the message can make this fail."""
    attributes = message.attributes
    told = {**_body(message.data), **attributes}
    return LedgerRow(
        "dead",
        _moment(message.publish_time) or now,
        _feed(told.get("feed")),
        _minute(told.get("minute"), now),
        uri=_text(told.get("uri")),
        reason=dead_reason(attributes),
        source=attributes.get(SOURCE_SUBSCRIPTION),
        attempts=dead_attempts(attributes),
        message_id=attributes.get(SOURCE_MESSAGE_ID) or message.message_id,
    )


def _body(data: bytes) -> dict[str, object]:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _text(value: object) -> str | None:
    """Return an address, as what came from a bucket has one; it says which page of a stream a letter is about."""
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
