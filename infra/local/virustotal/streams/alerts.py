"""Alerts of Digital Threat Monitoring: made-up documents, and versions that follow each other as real ones do.

A new alert has its AI summary some seconds later, and some are read and closed later still: each change moves
`updated_at` and nothing else of the key. Times are in milliseconds, as in real alerts.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity_version import Json
from infra.local.virustotal.streams.documents import ALERT_TYPES, document
from infra.local.virustotal.streams.pace import Pace

STATUSES = (
    *("new", "read", "in_progress", "escalated", "closed"),
    *("no_action_required", "duplicate", "not_relevant", "tracked_external"),
)
_LISTED_SECONDS = 30 * 86_400
_EVERY_SECONDS = 600
_SUMMARY_SECONDS = 5
_READ_SECONDS = 3_600
_CLOSED_SECONDS = 86_400
# Real ids are xids; their first four bytes are the second of creation.
_XID = "0123456789abcdefghijklmnopqrstuv"


@dataclass(frozen=True)
class Alert:
    """One version of an alert; times are in seconds."""

    seed: str
    number: int
    created: float
    updated: float
    status: str = "new"
    summarised: bool = False

    @property
    def id(self) -> str:
        """The alert's id."""
        value = int(self.created) << 64 | Draw(f"{self.seed}/alert/{self.number}").getrandbits(64)
        return "".join(_XID[(value << 4) >> shift & 31] for shift in range(95, -1, -5))

    @property
    def updated_at(self) -> str:
        """The time of the version as in the response, which orders versions."""
        return _written(self.updated)

    def written(self, *, refs: bool, truncate: int | None) -> bytes:
        """Return the alert as JSON; refs adds the document, truncate cuts its text."""
        draw = Draw(f"{self.seed}/alert/{self.number}/content")
        kind = draw.choice(tuple(ALERT_TYPES))
        topic = draw.word()
        alert: Json = {
            "id": self.id,
            "monitor_id": draw.hex(20),
            "topic_matches": [{"topic_id": f"doc_type:{kind}", "value": kind}],
            "label_matches": [],
            "doc_matches": [],
            "tags": [],
            "created_at": _written(self.created),
            "updated_at": self.updated_at,
            "doc_url": f"https://api.invalid/v4/dtm/docs/{kind}/{draw.hex(32)}",
            "status": self.status,
            "alert_type": ALERT_TYPES[kind],
            "alert_summary": draw.words(12),
            "title": f'Found topic "{topic}"',
            "email_sent_at": "",
            "indicator_mscore": draw.randint(0, 100),
            "monitor_version": 1,
        }
        if self.summarised:
            severity, confidence = draw.choice(("low", "medium", "high")), draw.randint(1, 100) / 100
            alert |= {"severity": severity, "confidence": confidence, "ai_doc_summary": draw.words(30)}
        if draw.chance(0.3):
            alert |= {"aggregated_under_id": draw.hex(20), "similarity_score": draw.randint(1, 99) / 100}
        if refs:
            alert |= {"doc": document(kind, draw, truncate), "labels": [], "topics": []}
        return json.dumps(alert).encode()


@dataclass
class Alerts:
    """All alerts of one simulator: a steady flow by the clock, and those that tests add and change."""

    seed: str
    pace: Pace = field(default_factory=Pace)
    _added: dict[str, list[Alert]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def reset(self) -> None:
        """Delete the added alerts."""
        with self._lock:
            self._added = {}

    def add(self, date: float, count: int, spacing: float) -> list[str]:
        """Add alerts from a time on and return their ids."""
        with self._lock:
            first = 2**30 + len(self._added)
            times = [(first + step, date + step * spacing) for step in range(count)]
            new = [Alert(self.seed, number, time, time) for number, time in times]
            self._added |= {alert.id: [alert] for alert in new}
        return [alert.id for alert in new]

    def change(self, name: str, status: str, updated: float) -> Alert | None:
        """Give an added alert a status, even the same; return its new version, or None for an unknown id."""
        with self._lock:
            versions = self._added.get(name)
            if not versions:
                return None
            versions.append(replace(versions[-1], status=status, updated=updated))
            return versions[-1]

    def latest(self, now: float, *, flowing: bool) -> Iterator[Alert]:
        """Yield every alert in its last version."""
        with self._lock:
            added = [[alert for alert in versions if alert.updated <= now] for versions in self._added.values()]
        yield from (versions[-1] for versions in added if versions)
        if flowing:
            every = self.pace.seconds(_EVERY_SECONDS)
            numbers = self.pace.numbers(every, now - self.pace.seconds(_LISTED_SECONDS), now)
            yield from (self._flowing(number, number * every, now) for number in numbers)

    def _flowing(self, number: int, created: float, now: float) -> Alert:
        versions = [Alert(self.seed, number, created, created)]
        versions.append(replace(versions[-1], updated=created + _SUMMARY_SECONDS, summarised=True))
        if number % 3 == 0:
            versions.append(replace(versions[-1], updated=created + self.pace.seconds(_READ_SECONDS), status="read"))
        if number % 6 == 0:
            versions.append(
                replace(versions[-1], updated=created + self.pace.seconds(_CLOSED_SECONDS), status="closed")
            )
        return [version for version in versions if version.updated <= now][-1]


def _written(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
