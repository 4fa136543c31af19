"""A dead letter as Pub/Sub holds it, its record, and how an operator selects letters."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from shared.contracts.dead_letters import ERROR_TYPE, REASON, SOURCE_MESSAGE_ID, dead_error_type, dead_reason
from shared.contracts.interfaces import Outgoing
from shared.contracts.messages import dead_letter_topic
from shared.contracts.minutes import format_moment
from shared.contracts.outcomes import DeadLetterType
from shared.operations.dead_letter_archive import Key, handled_name, letter_key
from shared.runtime.json_bytes import read_object, write_json

_ADDED_BY_PUBSUB = "CloudPubSubDeadLetter"
REDRIVEN = "redriven"
# The two subscriptions of a dead-letter topic are not at the same speed: a letter younger than this may be in one only.
ON_ITS_WAY = timedelta(minutes=10)


@dataclass(frozen=True)
class DeadLetter:
    """A dead-lettered message, the topic it came from, and the reason.

    id is that of the message that was given up, message_id that of the dead letter itself; published is the dead
    letter's publish time.
    """

    topic: str
    id: str
    message: bytes
    attributes: Mapping[str, str]
    published: datetime
    message_id: str

    @property
    def reason(self) -> str:
        """Why the message was given up."""
        return dead_reason(self.attributes)

    @property
    def error_type(self) -> DeadLetterType:
        """The error type, for programs."""
        return dead_error_type(self.attributes)

    @property
    def redriven(self) -> int:
        """How often the message has been redriven before."""
        count = self.attributes.get(REDRIVEN, "0")
        return int(count) if count.isascii() and count.isdecimal() else 0

    @property
    def key(self) -> Key:
        """What identifies the letter in the ledger."""
        return letter_key(self.id, self.published)

    @property
    def archive_name(self) -> str:
        """The name of the object that records that the letter was handled."""
        return handled_name(self.topic, self.id, self.published, self._content)

    @cached_property
    def _content(self) -> bytes:
        return write_json({"data": _base64(self.message), "attributes": dict(self.attributes)}, sort=True)

    def report(self) -> dict[str, str]:
        """Return the letter for the JSON report; bytes that are not text are shown as replacement characters."""
        return {
            "id": self.id,
            "topic": dead_letter_topic(self.topic),
            "published": format_moment(self.published),
            "error_type": self.error_type,
            "reason": self.reason,
            "message": self.message.decode(errors="replace"),
        }

    def original(self) -> Outgoing:
        """Return the original message with its redrive count incremented."""
        added = (ERROR_TYPE, REASON, SOURCE_MESSAGE_ID)
        kept = {
            name: value
            for name, value in self.attributes.items()
            if name not in added and not name.startswith(_ADDED_BY_PUBSUB)
        }
        return Outgoing(self.topic, self.message, {**kept, REDRIVEN: str(self.redriven + 1)})

    def record(self, action: str, at: datetime) -> bytes:
        """Return the copy of the letter for the bucket: `data` has the bytes of the message in base64."""
        content = {"attributes": dict(self.attributes), "data": _base64(self.message)}
        return write_json({**self.report(), **content, "action": action, "at": format_moment(at)})

    def is_recorded_in(self, record: bytes) -> bool:
        """Return whether a record is a copy of this letter."""
        try:
            kept = read_object(record)
        except ValueError:
            return False
        return (kept.get("data"), kept.get("attributes")) == (_base64(self.message), dict(self.attributes))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Letter(Protocol):
    """A dead letter, of the ledger or of Pub/Sub."""

    @property
    def id(self) -> str:
        """The id of the message that was given up."""

    @property
    def reason(self) -> str:
        """Why it was given up."""

    @property
    def error_type(self) -> DeadLetterType:
        """The kind of reason."""


@dataclass(frozen=True)
class Choice:
    """A selection of letters: by id; or by type, by a part of the reason, or both; or all."""

    ids: tuple[str, ...] = ()
    reason: str | None = None
    everything: bool = False
    error_type: str | None = None

    def wants(self, letter: Letter) -> bool:
        """Return whether a letter is selected."""
        if self.everything or letter.id in self.ids:
            return True
        wanted_type = self.error_type in (None, letter.error_type)
        wanted_reason = self.reason is None or self.reason.lower() in letter.reason.lower()
        return not self.ids and self != Choice() and wanted_type and wanted_reason
