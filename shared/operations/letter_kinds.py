"""Open dead letters by kind: those with one cause and one remedy are one problem, however many there are."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.operations.open_dead_letters import DeadLetterRecord, remedy
from shared.operations.problems import Problem

_IDS_SHOWN = 20


@dataclass(frozen=True)
class LetterKind:
    """Letters of one feed or stream with the same type, source and remedy, newest first."""

    letters: Sequence[DeadLetterRecord]

    @property
    def newest(self) -> DeadLetterRecord:
        """The newest letter, whose reason stands for all."""
        return self.letters[0]

    @property
    def remedy(self) -> str:
        """The command for all of them."""
        return remedy(self.letters)

    def problem(self) -> Problem:
        """Return them as one problem."""
        if len(self.letters) == 1:
            return Problem(f"dead letter {self.newest.message_id}: {self.newest.reason}", self.remedy)
        about = self.newest.feed or self.newest.stream
        of = f" of {about}" if about else ""
        text = f"{len(self.letters)} dead letters{of} ({self.newest.error_type}), the newest: {self.newest.reason}"
        return Problem(text, self.remedy)

    def report(self) -> dict[str, object]:
        """Return the kind for the page: how many, the first and the last minute, and at most 20 ids."""
        minutes = sorted(self._minutes())
        newest = self.newest
        return {
            "feed": newest.feed,
            "stream": newest.stream,
            "count": len(self.letters),
            "minutes": minutes if len(minutes) < 3 else [minutes[0], minutes[-1]],
            "ids": [letter.message_id for letter in self.letters[:_IDS_SHOWN]],
            "error_type": newest.error_type,
            "reason": newest.reason,
            "attempts": max((letter.attempts or 0 for letter in self.letters), default=0),
            "source": newest.source,
            "at": newest.at,
            "remedy": self.remedy,
        }

    def _minutes(self) -> Iterator[datetime]:
        return (letter.minute for letter in self.letters if letter.minute)


def letter_kinds(letters: Iterable[DeadLetterRecord]) -> list[LetterKind]:
    """Group letters, newest first."""
    kinds: dict[tuple[object, ...], list[DeadLetterRecord]] = {}
    for letter in letters:
        key = (letter.feed, letter.stream, letter.action, letter.error_type, letter.source)
        kinds.setdefault(key, []).append(letter)
    return [LetterKind(kind) for kind in kinds.values()]
