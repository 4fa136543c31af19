"""Remove dead letters from Pub/Sub whose minute has arrived since, as `gti-mesh dead discard --resolved` does.

Nobody needs them, and the alarm on waiting letters counts them. A run removes a limited number, and the next one
continues. While an operator's command handles the letters, a run does nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from shared.contracts.messages import FEED_MINUTES, MINUTES_LANDED
from shared.operations.dead_letter_lock import LettersLocked
from shared.operations.dead_letter_mailbox import mailbox
from shared.operations.handle_dead_letters import close_letters, resolved_since
from shared.operations.mesh import Mesh
from shared.operations.open_dead_letters import DeadLetterRecord, unhandled_dead_letters

# Letters about pages name no minute.
_TOPICS = (FEED_MINUTES, MINUTES_LANDED)
# Of each topic; 2,000 letters are read in four pulls, and copied in less than a minute.
_MAX_LETTERS = 2000
_READ_SECONDS = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TakenOut:
    """The result of one run, in letters: discarded with a copy, and closed because Pub/Sub no longer holds them.

    complete is False if there may be more, or an operator handles the letters.
    """

    discarded: int = 0
    closed: int = 0
    complete: bool = False


class ResolvedLetters:
    """The letters of a mesh with which nothing is left to do."""

    def __init__(
        self,
        mesh: Mesh,
        now: Callable[[], datetime],
        *,
        unhandled: Callable[[Mesh, datetime], Sequence[DeadLetterRecord]] = unhandled_dead_letters,
        subscriber: Callable[[], SubscriberClient] = SubscriberClient,
        most: int = _MAX_LETTERS,
    ) -> None:
        self._mesh = mesh
        self._now = now
        self._unhandled = unhandled
        self._subscriber = subscriber
        self._most = most

    def take_out(self) -> TakenOut:
        """Discard the letters that Pub/Sub holds, and close those that it does not."""
        try:
            taken = self._take_out()
        except LettersLocked as error:
            log.info("planner.letters_held: %s", error)
            return TakenOut()
        if taken.discarded or taken.closed:
            log.info("planner.letters_resolved: %s", asdict(taken))
        return taken

    def _take_out(self) -> TakenOut:
        with mailbox(
            self._mesh,
            self._most,
            topics=_TOPICS,
            seconds=_READ_SECONDS,
            who="the planner",
            brief=True,
            subscriber=self._subscriber,
        ) as held:
            now, bucket = self._now(), self._mesh.bucket
            chosen, lost = resolved_since(self._unhandled(self._mesh, now), bucket, held, now)
            discarded, closed = held.discard(chosen), close_letters(bucket, lost, now)
            return TakenOut(discarded, closed, held.complete)
