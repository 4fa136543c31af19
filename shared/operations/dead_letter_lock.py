"""One operator at a time takes dead letters out of Pub/Sub.

Letters that one command holds are invisible to every other, which would report them as lost. So a command takes this
lock first: one object in the bucket, replaced only at the generation that was read. The planner takes it for some
seconds an hour, which a command waits for.
"""

import os
import platform
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import MeshError
from shared.contracts.stored_objects import read_stored

LOCK = "state/operators/dead-letters.json"
# Longer than Pub/Sub keeps a letter from others after a command has died (the ack deadline, 60 s).
HELD = timedelta(seconds=120)
_REMEDY = "delete it"
_PAUSE_SECONDS = 1.0


class LettersLocked(MeshError):
    """Another command handles the dead letters."""


class _Holder(BaseModel):
    """Who holds the lock, and until when; brief if it will take seconds, or HELD if the holder has died."""

    model_config = ConfigDict(frozen=True)

    who: str
    token: str
    until: AwareDatetime
    brief: bool = False


class DeadLetterLock:
    """The right to take dead letters out of Pub/Sub, held while the `with` block runs; renew it before HELD is over.

    `brief` says that the block takes seconds: others wait for it, and it waits for nobody.
    """

    def __init__(
        self,
        bucket: Bucket,
        now: Callable[[], datetime],
        who: str = "",
        *,
        brief: bool = False,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._bucket = bucket
        self._now = now
        self._who = who or f"process {os.getpid()} on {platform.node()}"
        self._brief = brief
        self._pause = pause
        self._token = uuid4().hex

    def __enter__(self) -> "DeadLetterLock":
        """Take the lock; wait for a brief holder, and raise LettersLocked while any other has it."""
        while not self._brief and self._is_briefly_held():
            self._pause(_PAUSE_SECONDS)
        self.renew()
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        holder, generation = self._read()
        if holder and holder.token == self._token:
            self._replace(holder.model_copy(update={"until": self._now()}), generation)

    def renew(self) -> None:
        """Hold the lock for HELD from now on; raise LettersLocked if another command has it."""
        holder, generation = self._read()
        if holder and holder.token != self._token and holder.until > self._now():
            raise LettersLocked(_taken(holder))
        mine = _Holder(who=self._who, token=self._token, until=self._now() + HELD, brief=self._brief)
        if not self._replace(mine, generation):
            raise LettersLocked(
                "another command has just started to handle the dead letters; try again when it has ended"
            )

    def _is_briefly_held(self) -> bool:
        holder, _ = self._read()
        return holder is not None and holder.brief and holder.until > self._now()

    def _read(self) -> tuple[_Holder | None, int]:
        return read_stored(self._bucket, LOCK, _Holder, remedy=_REMEDY)

    def _replace(self, holder: _Holder, generation: int) -> bool:
        return self._bucket.replace(LOCK, holder.model_dump_json().encode(), generation)


def _taken(holder: _Holder) -> str:
    return (
        f"another command handles the dead letters: {holder.who}; "
        f"try again when it has ended, at the latest at {holder.until:%H:%M:%SZ} if it has died"
    )
