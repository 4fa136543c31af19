"""The audit of dead letters: each has a row in the ledger, and each open row a letter in Pub/Sub."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.messages import dead_letter_topic
from shared.operations.dead_letter_archive import PLAIN
from shared.operations.dead_letter_leases import BATCH
from shared.operations.dead_letter_mailbox import mailbox
from shared.operations.dead_letters import ON_ITS_WAY, DeadLetter
from shared.operations.findings import Finding, number_of
from shared.operations.mesh import Mesh
from shared.operations.open_dead_letters import DeadLetterReader, DeadLetterRecord


@dataclass(frozen=True)
class LetterAudit:
    """The findings about the dead letters; recorded counts the rows of letters that were not handled."""

    held: int
    recorded: int
    findings: tuple[Finding, ...]

    def summary(self) -> str:
        """Return the letters in one line."""
        return f"dead letters: {self.held} in Pub/Sub, {self.recorded} in the ledger; {number_of(self.findings)}"


def audit_letters(mesh: Mesh, now: datetime) -> LetterAudit:
    """Compare the letters in Pub/Sub, without removing them, with the ledger."""
    with mailbox(mesh, BATCH) as held:
        letters, complete = held.letters, held.complete
    # The ledger second: a letter that was read has had its time to get there.
    recorded = DeadLetterReader(mesh).read(now)
    found = compare_letters(letters, recorded, now, complete=complete)
    return LetterAudit(len(letters), len(recorded), tuple(found))


def compare_letters(
    held: Sequence[DeadLetter], recorded: Sequence[DeadLetterRecord], now: datetime, *, complete: bool
) -> Iterator[Finding]:
    """Yield letters without a row and open rows without a letter; complete says whether all letters were read."""
    rows, letters = {record.message_id for record in recorded}, {letter.id for letter in held}
    for letter in held:
        if letter.id not in rows and now - letter.published > ON_ITS_WAY:
            text = f"dead letter {letter.id} of {dead_letter_topic(letter.topic)} has no row in the ledger"
            yield Finding(text, _discard(letter.id))
    for record in recorded if complete else ():
        if record.open and record.message_id not in letters and now - record.at > ON_ITS_WAY:
            text = f"dead letter {record.message_id} of the ledger is in no subscription"
            yield Finding(text, _discard(record.message_id))


def _discard(letter: str) -> str:
    # An id comes from the publisher of the message, so only a plain one is repeated in a command.
    return f"gti-mesh dead discard {letter}" if PLAIN.fullmatch(letter) else "gti-mesh dead list"
