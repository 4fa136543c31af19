"""The dead letters in the ledger that still need an operator."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from shared.contracts.dead_letters import dead_letter_type, is_about_secops
from shared.contracts.minutes import HORIZON, oldest_served
from shared.contracts.outcomes import DeadLetterType
from shared.gcp.bigquery import Parameters, run_query
from shared.operations.dead_letter_archive import PLAIN, Key, handled_letters, letter_key
from shared.operations.delivered_landings import delivered_landings
from shared.operations.mesh import Mesh
from shared.operations.packed_rows import unpacked
from shared.warehouse.rendering import render

# The retention of the dead-letter subscriptions.
KEPT = timedelta(days=31)
# Letters about minutes that the source no longer serves hardly change, and finding them costs five times as much.
_OLDER_EVERY = timedelta(hours=1)
# After a redrive a message of these types fails again, whatever was fixed.
_NEVER_RIGHT = frozenset(
    {
        "invalid_message",
        "minute_in_future",
        "minute_expired",
        "source_changed",
        "object_missing",
        "invalid_page",
        "oversize",
    }
)

_IDS_A_COMMAND = 20
_STREAM = re.compile(r"/streams/([^/]+)/")


@dataclass(frozen=True)
class DeadLetterRecord:
    """One dead letter in the ledger; feed and minute are None if it is about none.

    state is that of its minute since `reached`, or `delivered`: SecOps has the landing that the letter is about.
    """

    message_id: str
    feed: str | None
    minute: datetime | None
    reason: str
    attempts: int | None
    source: str | None
    at: datetime
    state: str | None
    reached: datetime | None = None
    uri: str | None = None
    error_type: DeadLetterType = "unknown"

    @property
    def id(self) -> str:
        """The id by which commands name the letter."""
        return self.message_id

    @property
    def key(self) -> Key:
        """What identifies the letter in Pub/Sub: the ledger has its id and its publish time."""
        return letter_key(self.message_id, self.at)

    @property
    def stream(self) -> str | None:
        """The stream of the page that the letter is about."""
        found = _STREAM.search(self.uri or "")
        return found[1] if found else None

    @property
    def landing(self) -> str | None:
        """The address of the landing that SecOps was to get, if the letter is about one."""
        return self.uri if is_about_secops(self.source) else None

    @property
    def open(self) -> bool:
        """Whether it still needs an operator: its minute has not come since, or the source has changed.

        The minute of a `source changed` letter had landed before it, so only an operator can close it. Other letters
        about a minute that had come before them matter, except spent attempts.
        """
        later = self.reached is not None and self.at > self.reached
        return self._lost or self.error_type == "source_changed" or (later and self.error_type != "attempts_spent")

    @property
    def action(self) -> Literal["redrive", "discard"]:
        """The action for the letter: redrive one that can succeed and whose minute is not there, discard any other."""
        return "redrive" if self._lost and self.error_type not in _NEVER_RIGHT else "discard"

    def report(self) -> dict[str, object]:
        """Return the letter for the JSON report; its id has the name that it has everywhere."""
        found = asdict(self)
        return {"id": found.pop("message_id"), **found}

    @property
    def _lost(self) -> bool:
        return self.state in (None, "dead")


class DeadLetterReader:
    """Reads the dead letters that were not handled, repeatedly; not thread-safe.

    A look reads the ledger's partitions of the minutes that the source still serves; the first one, and one an hour,
    also those of every minute about which Pub/Sub may still keep a letter.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._older: list[DeadLetterRecord] = []
        self._older_end = self._older_at = datetime.min.replace(tzinfo=UTC)

    def read(self, now: datetime) -> list[DeadLetterRecord]:
        """Return the dead letters that were not handled, newest first: open, or resolved by minute or delivery."""
        letters = self._letters(now)
        if not letters:
            return []
        # The record of a handled letter lies below the day on which the letter was published.
        handled = handled_letters(self._mesh.bucket, min(letter.at for letter in letters))
        unhandled = [letter for letter in letters if not handled.holds(letter.message_id, letter.at)]
        delivered = delivered_landings(self._mesh.bucket, filter(None, (letter.landing for letter in unhandled)))
        return [replace(one, state="delivered") if one.landing in delivered else one for one in unhandled]

    def _letters(self, now: datetime) -> list[DeadLetterRecord]:
        if now < self._older_at + _OLDER_EVERY:
            letters = self._from(self._older_end, now) + self._older
            return sorted(letters, key=lambda letter: letter.at, reverse=True)
        letters = self._from(_oldest_minute(now), now)
        end = oldest_served(now)
        self._older = [letter for letter in letters if letter.minute and letter.minute < end]
        self._older_end, self._older_at = end, now
        return letters

    def _from(self, first_minute: datetime, now: datetime) -> list[DeadLetterRecord]:
        query = _query(self._mesh, first_minute, now)
        rows = unpacked(run_query(self._mesh.warehouse, *query), ("minute", "at", "reached"))
        return sorted(map(_record, rows), key=lambda letter: letter.at, reverse=True)


def remedy(dead_letters: Sequence[DeadLetterRecord]) -> str:
    """Return the command for dead letters of one kind, to be run after their cause has been fixed.

    An id comes from the publisher of the message; an id with shell metacharacters is not repeated.
    """
    first = dead_letters[0]
    if len(dead_letters) > _IDS_A_COMMAND:
        return f"gti-mesh dead {first.action} --type {first.error_type}"
    if not all(PLAIN.fullmatch(letter.message_id) for letter in dead_letters):
        return "gti-mesh dead list"
    return " ".join(("gti-mesh dead", first.action, *(letter.message_id for letter in dead_letters)))


def unhandled_dead_letters(mesh: Mesh, now: datetime) -> list[DeadLetterRecord]:
    """Return the dead letters that were not handled, newest first: open, or resolved by their minute."""
    return DeadLetterReader(mesh).read(now)


def unhandled_query(mesh: Mesh, now: datetime) -> tuple[str, Parameters]:
    """Return the query of unhandled_dead_letters()."""
    return _query(mesh, _oldest_minute(now), now)


def _oldest_minute(now: datetime) -> datetime:
    """Return the oldest minute about which Pub/Sub may still keep a letter."""
    return now - KEPT - HORIZON


def _query(mesh: Mesh, first_minute: datetime, now: datetime) -> tuple[str, Parameters]:
    sql = render("shared.operations/open_dead_letters.sql", dataset=mesh.dataset)
    return sql, {"first_minute": first_minute, "since": now - KEPT}


def _record(row: dict[str, Any]) -> DeadLetterRecord:
    return DeadLetterRecord(**{**row, "error_type": dead_letter_type(row["error_type"], row["reason"])})
