"""Dead letters without Pub/Sub: one object each under `dead-letters/`, open until an action is recorded in it."""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.contracts.dead_letters import ERROR_TYPE, REASON
from shared.contracts.interfaces import Bucket, Outgoing
from shared.contracts.messages import IOC_PAGES, Message
from shared.contracts.stored_objects import read_stored
from shared.operations.dead_letters import REDRIVEN, DeadLetter
from shared.runtime.json_bytes import read_object, write_json
from shared.streams.definition import JsonObject

_FOLDER = "dead-letters/"


class _Kept(BaseModel):
    """A letter's object."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    error_type: str | None
    reason: str | None
    message: JsonObject
    redriven: int = 0
    action: str | None = None
    at: AwareDatetime | None = None


class DeadLetterFolder:
    """The dead letters of one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def keep(self, message: Message | Outgoing, redriven: int = 0) -> str:
        """Keep a dead-lettered message as open; return its address and reason."""
        kept = _Kept(
            error_type=message.attributes.get(ERROR_TYPE),
            reason=message.attributes.get(REASON),
            message=read_object(message.body),
            redriven=redriven,
        )
        name = _name(hashlib.sha256(message.body).hexdigest()[:16])
        self._write(name, kept)
        return f"{self._bucket.uri(name)}: {kept.reason}"

    def open(self) -> list[DeadLetter]:
        """Return the letters without an action, newest first."""
        return sorted(self._open(), key=lambda letter: letter.published, reverse=True)

    def close(self, letter: DeadLetter, action: str, at: datetime) -> None:
        """Record what was done with a letter."""
        name = _name(letter.id)
        kept, _ = self._read(name)
        if kept:
            self._write(name, kept.model_copy(update={"action": action, "at": at}))

    def _open(self) -> Iterator[DeadLetter]:
        for listed in self._bucket.listed(_FOLDER, _FOLDER):
            kept, _ = self._read(listed.name)
            if kept and kept.action is None:
                yield _letter(listed.name.removeprefix(_FOLDER).removesuffix(".json"), kept, listed.created)

    def _read(self, name: str) -> tuple[_Kept | None, int]:
        return read_stored(self._bucket, name, _Kept, remedy="delete it")

    def _write(self, name: str, kept: _Kept) -> None:
        stored = self._bucket.read(name)
        self._bucket.replace(name, kept.model_dump_json().encode(), stored.generation if stored else 0)


def _name(letter: str) -> str:
    return f"{_FOLDER}{letter}.json"


def _letter(letter: str, kept: _Kept, at: datetime) -> DeadLetter:
    given = {ERROR_TYPE: kept.error_type, REASON: kept.reason, REDRIVEN: str(kept.redriven)}
    return DeadLetter(
        topic=IOC_PAGES,
        id=letter,
        message=write_json(kept.message),
        attributes={name: value for name, value in given.items() if value},
        published=at,
        message_id=letter,
    )
