"""The dead letters of every topic, taken out of Pub/Sub for a while: to show, redrive or discard them.

A letter is acked only after it is stored elsewhere. Reading ends: at an empty subscription, at a pull that brings
nothing new, or at a deadline. While a letter is worked on, its lease is extended.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from shared.contracts.messages import FEED_MINUTES, IOC_PAGES, MINUTES_LANDED, dead_letter_topic
from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import MeshError, Misconfigured, Retryable
from shared.operations.dead_letter_leases import BATCH, LeasedLetters, batches
from shared.operations.dead_letter_lock import DeadLetterLock
from shared.operations.dead_letters import DeadLetter
from shared.operations.mesh import Mesh

# A pull from an empty subscription waits; after this long without a message it counts as empty.
_QUIET_SECONDS = 2.0
_PATIENT_SECONDS = 10.0
# Reading normally ends long before; for a subscription that fills faster than it is read, it would not.
_READ_SECONDS = 120.0
# As many letters are published, recorded and acked together.
_AT_ONCE = 100
_THREADS = 16
# The ack deadline of the dead-letter subscriptions, and of every extension; extended three times as often.
_LEASE_SECONDS = 60
_EXTEND_SECONDS = 20.0
_TOPICS = (FEED_MINUTES, MINUTES_LANDED, IOC_PAGES)


class Mailbox:
    """The dead letters that are held; those that are not handled are released at the end."""

    def __init__(self, mesh: Mesh, client: SubscriberClient, lock: DeadLetterLock, topics: Sequence[str]) -> None:
        self._mesh = mesh
        self._command_lock = lock
        self._failure: MeshError | None = None
        self._leased = [LeasedLetters(client, name, self._subscription(client, name)) for name in topics]

    def _subscription(self, client: SubscriberClient, topic: str) -> str:
        settings = self._mesh.settings
        return client.subscription_path(settings.project, f"{settings.prefix}{dead_letter_topic(topic)}")

    @property
    def letters(self) -> list[DeadLetter]:
        """The letters that are held, by topic, in the order in which Pub/Sub gave them."""
        return [letter for leased in self._leased for letter in list(leased.letters.values())]

    @property
    def complete(self) -> bool:
        """Whether all letters were read, and not only some until there were enough or time was over."""
        return all(leased.read for leased in self._leased)

    def fill(
        self, enough: int | None = None, *, quiet_seconds: float = _QUIET_SECONDS, seconds: float = _READ_SECONDS
    ) -> None:
        """Pull all letters, or at least `enough` of each topic."""
        end = time.monotonic() + seconds
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda leased: leased.fill(enough, quiet_seconds, end), self._leased))

    def look_longer(self) -> None:
        """Pull again with a longer wait: Pub/Sub may return nothing at first although there are messages."""
        self.fill(quiet_seconds=_PATIENT_SECONDS)

    def redrive(self, letters: Sequence[DeadLetter]) -> int:
        """Publish letters to their original topics, record that, and only then ack them; return their number."""
        for some in batches(letters, _AT_ONCE):
            self._require_held()
            self._mesh.publisher.publish(*(letter.original() for letter in some))
            self._take_out(some, "redriven")
        return len(letters)

    def discard(self, letters: Sequence[DeadLetter]) -> int:
        """Store a copy of letters in the bucket, and only then ack them; return their number."""
        for some in batches(letters, _AT_ONCE):
            self._require_held()
            self._take_out(some, "discarded")
        return len(letters)

    def extend(self) -> None:
        """Renew the lock and the leases of the letters."""
        self._command_lock.renew()
        self._set_deadlines(_LEASE_SECONDS)

    def keep_extending(self, ended: Event, seconds: float) -> None:
        """Renew until stopped; after a failure the work stops before its next step."""
        while not ended.wait(seconds):
            try:
                self.extend()
            except MeshError as error:
                self._failure = error
            except (GoogleAPICallError, RetryError) as error:
                self._failure = Retryable(f"dead letters cannot be kept: {error.message}")
            else:
                self._failure = None

    def give_back(self) -> None:
        """Release the leases that are left."""
        self._set_deadlines(0)

    def _set_deadlines(self, seconds: int) -> None:
        for leased in self._leased:
            leased.set_deadlines(seconds)

    def _require_held(self) -> None:
        if self._failure:
            raise self._failure

    def _take_out(self, letters: Sequence[DeadLetter], action: str) -> None:
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda letter: self._record(letter, action), letters))
        for leased in self._leased:
            leased.remove(letters)

    def _record(self, letter: DeadLetter, action: str) -> None:
        bucket, name = self._mesh.bucket, letter.archive_name
        if bucket.create(name, letter.record(action, utc_now())):
            return
        # A command that died between the record and the ack.
        stored = bucket.read(name)
        if stored is None or not letter.is_recorded_in(stored.data):
            raise Misconfigured(
                f"{bucket.uri(name)} is not a copy of dead letter {letter.id}, which is not acked; move the object away"
            )


@contextmanager
def mailbox(
    mesh: Mesh,
    enough: int | None = None,
    *,
    topics: Sequence[str] = _TOPICS,
    seconds: float = _READ_SECONDS,
    who: str = "",
    brief: bool = False,
    subscriber: Callable[[], SubscriberClient] = SubscriberClient,
    extend_seconds: float = _EXTEND_SECONDS,
) -> Iterator[Mailbox]:
    """Hold the dead letters while the block runs; raise LettersLocked while another command does.

    `who` is what the other command is told, by default this process; for a `brief` holder it waits.
    """
    with ExitStack() as stack:
        lock = stack.enter_context(DeadLetterLock(mesh.bucket, utc_now, who, brief=brief))
        client = stack.enter_context(subscriber())
        held = Mailbox(mesh, client, lock, topics)
        try:
            try:
                with _extended(held, extend_seconds):
                    held.fill(enough, seconds=seconds)
                    yield held
            finally:
                held.give_back()
        except (GoogleAPICallError, RetryError) as error:
            raise Retryable(f"dead letters cannot be read: {error.message}") from None


@contextmanager
def _extended(held: Mailbox, seconds: float) -> Iterator[None]:
    ended = Event()
    keeper = Thread(target=held.keep_extending, args=(ended, seconds), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def peek_dead_letters(mesh: Mesh) -> list[DeadLetter]:
    """Return about 500 dead letters of each topic without acking them."""
    with mailbox(mesh, BATCH) as held:
        return held.letters
