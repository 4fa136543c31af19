"""The letters that a command selects: those that Pub/Sub holds, and those that only the ledger still has."""

from collections.abc import Sequence
from datetime import datetime

from shared.contracts.interfaces import Bucket
from shared.contracts.minutes import format_moment
from shared.operations.dead_letter_archive import closed_name, handled_letters
from shared.operations.dead_letter_mailbox import Mailbox
from shared.operations.dead_letters import ON_ITS_WAY, Choice, DeadLetter
from shared.operations.open_dead_letters import DeadLetterRecord
from shared.runtime.json_bytes import write_json


def open_letters(unhandled: Sequence[DeadLetterRecord], choice: Choice) -> list[DeadLetterRecord]:
    """Return the chosen letters of the ledger that need an operator."""
    return [letter for letter in unhandled if letter.open and choice.wants(letter)]


def resolved_letters(unhandled: Sequence[DeadLetterRecord]) -> list[DeadLetterRecord]:
    """Return the letters of the ledger whose minute has come since, so that nothing is left to do about them."""
    return [letter for letter in unhandled if not letter.open]


def lost_letters(letters: Sequence[DeadLetterRecord], held: Mailbox, now: datetime) -> list[DeadLetterRecord]:
    """Return those letters of the ledger that Pub/Sub no longer holds.

    Pub/Sub loses letters after 31 days, with a subscription that is deleted or purged, and an emulator at its end.
    """
    lost = _missing([letter for letter in letters if letter.at < now - ON_ITS_WAY], held)
    if not lost or not held.complete:
        return []
    held.look_longer()
    return _missing(lost, held) if held.complete else []


def _missing(letters: Sequence[DeadLetterRecord], held: Mailbox) -> list[DeadLetterRecord]:
    there = {letter.key for letter in held.letters}
    return [letter for letter in letters if letter.key not in there]


def held_letters(letters: Sequence[DeadLetterRecord], held: Mailbox) -> list[DeadLetter]:
    """Return those letters of the ledger that Pub/Sub holds, as it holds them."""
    wanted = {letter.key for letter in letters}
    return [letter for letter in held.letters if letter.key in wanted]


def resolved_since(
    unhandled: Sequence[DeadLetterRecord], bucket: Bucket, held: Mailbox, now: datetime
) -> tuple[list[DeadLetter], list[DeadLetterRecord]]:
    """Return the letters with which nothing is left to do: those that Pub/Sub holds, and those that it does not.

    Their minute has come since; or they were handled, and the command died before it acked them.
    """
    resolved = resolved_letters(unhandled)
    lost = lost_letters(resolved, held, now)
    return [*held_letters(resolved, held), *_handled_before(bucket, held.letters)], lost


def _handled_before(bucket: Bucket, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    if not letters:
        return []
    handled = handled_letters(bucket, min(letter.published for letter in letters))
    return [letter for letter in letters if handled.holds(letter.id, letter.published)]


def close_letters(bucket: Bucket, letters: Sequence[DeadLetterRecord], now: datetime) -> int:
    """Close letters that Pub/Sub no longer holds; return their number."""
    for letter in letters:
        minute = format_moment(letter.minute) if letter.minute else None
        record = {"id": letter.id, "feed": letter.feed, "minute": minute, "published": format_moment(letter.at)}
        cause = {"error_type": letter.error_type, "reason": letter.reason, "action": "closed", "at": format_moment(now)}
        # False: another command has just closed it.
        bucket.create(closed_name(letter.id, letter.at), write_json({**record, **cause}))
    return len(letters)
