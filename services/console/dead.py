"""The dead letters that still need a person, as the ledger tells them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.console.handled import HANDLED, PLAIN, handled_stem
from services.console.mesh import Mesh
from shared.dead_letters import ATTEMPTS_SPENT
from shared.gcp.bigquery import bigquery_errors, run_query
from shared.warehouse.rendering import render

# The keeping subscriptions keep no longer.
KEPT = timedelta(days=31)

_STREAM = re.compile(r"/streams/([^/]+)/")
# As shared.envelope words it.
_UNREADABLE = "the message "


@dataclass(frozen=True)
class Death:
    """One dead letter in the ledger; feed and minute are None where the message said neither."""

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

    @property
    def stream(self) -> str | None:
        """The stream whose page the letter is about."""
        found = _STREAM.search(self.uri or "")
        return found[1] if found else None

    @property
    def open(self) -> bool:
        """Whether nothing has come of the minute since.

        A minute that is there can have a letter too, such as `source changed`; spent attempts at it are no matter.
        """
        later = self.reached is not None and self.at > self.reached
        return self._lost or (later and not self.reason.startswith(ATTEMPTS_SPENT))

    @property
    def action(self) -> Literal["redrive", "discard"]:
        """What is to be done with the letter; what cannot be read, or is there already, is handed back in vain."""
        return "redrive" if self._lost and not self.reason.startswith(_UNREADABLE) else "discard"

    @property
    def _lost(self) -> bool:
        return self.state in (None, "dead")


def remedy(deaths: Sequence[Death]) -> str:
    """Return the command that deals with dead letters of one kind, after their cause has been dealt with.

    An id comes with its message, from whoever published it; one that a shell could take for more is not repeated.
    """
    if not all(PLAIN.fullmatch(death.message_id) for death in deaths):
        return "gti-mesh dead list"
    return " ".join(("gti-mesh dead", deaths[0].action, *(death.message_id for death in deaths)))


def open_deaths(mesh: Mesh, now: datetime) -> list[Death]:
    """Return the dead letters that were neither handled nor overtaken by their minute's arrival, newest first."""
    handled = set(_handled(mesh))
    return [
        death for death in read_deaths(mesh, now - KEPT) if death.open and handled_stem(death.message_id) not in handled
    ]


def read_deaths(mesh: Mesh, since: datetime) -> list[Death]:
    """Return every dead letter in the ledger since a moment, newest first."""
    sql = render("services.console/dead.sql", dataset=mesh.dataset)
    with bigquery_errors():
        rows = run_query(mesh.warehouse, sql, {"since": ("TIMESTAMP", since)})
    return [Death(**dict(row.items())) for row in rows]


def _handled(mesh: Mesh) -> Iterator[str]:
    for name in mesh.bucket.names(f"{HANDLED}/"):
        yield name.rpartition("/")[2].removesuffix(".json")
