"""Issues of Attack Surface Management: made-up findings, which scans see again and analysts triage.

A scan moves `last_seen` of every open issue to its own time, so many issues have the same one. Triage changes the
status and no date. Some are older issues, without `uid` and with a null status, as real ones were seen.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity_version import Json
from infra.local.virustotal.streams.pace import Pace

PROJECTS = {"10101": "Corporate", "10102": "Subsidiary"}
STATUSES = (
    *("open_new", "open_triaged", "open_in_progress", "closed", "closed_mitigated", "closed_resolved"),
    *("closed_duplicate", "closed_out_of_scope", "closed_false_positive", "closed_risk_accepted", "closed_benign"),
    *("closed_no_repro", "closed_tracked_externally"),
)
_NAMES = {
    "insecure_cookie_httponly_attribute": ("Insecure Cookie (Missing 'HttpOnly' Attribute)", "application", 5),
    "self_signed_certificate": ("Self Signed Certificate Detected", "misconfiguration", 4),
    "exposed_admin_panel_unauthenticated": ("Exposed Admin Panel", "misconfiguration", 2),
    "vulnerability_remote_code_execution": ("Remote Code Execution", "vulnerability", 1),
}
_LISTED_SECONDS = 30 * 86_400
_EVERY_SECONDS = 3_600
_SCAN_SECONDS = 21_600
_TRIAGED_SECONDS = 7_200
_CLOSED_SECONDS = 93_600


@dataclass(frozen=True)
class Issue:
    """One issue as it is now; times are in seconds, old ones have no uid."""

    seed: str
    project: str
    number: int
    first_seen: float
    last_seen: float
    status: str | None = "open_new"
    old: bool = False

    @property
    def id(self) -> str:
        """The issue's id, which is its uid."""
        return Draw(f"{self.seed}/issue/{self.project}/{self.number}").hex(64)

    @property
    def severity(self) -> int:
        """The severity; 1 is critical, 5 is informational."""
        return _NAMES[self._name()][2]

    def written(self) -> bytes:
        """Return the hit as JSON."""
        draw, name = self._draw(), self._name()
        host = draw.domain()
        hit: Json = {
            "id": self.id,
            "uid": self.id,
            "uuid": f"{draw.hex(8)}-{draw.hex(4)}-{draw.hex(4)}-{draw.hex(4)}-{draw.hex(12)}",
            "description": draw.words(25),
            "dynamic_id": draw.randint(1_000_000, 30_000_000),
            "name": name,
            "pretty_name": _NAMES[name][0],
            "upstream": "intrigue",
            "last_seen": written(self.last_seen),
            "first_seen": written(self.first_seen),
            "entity_uid": draw.hex(64),
            "entity_type": "Intrigue::Entity::Uri",
            "entity_name": f"https://{host}:443",
            "alias_group": str(draw.randint(1_000, 9_999)),
            "collection": f"{PROJECTS.get(self.project, 'other').lower()}_{draw.randint(1, 3)}",
            "collection_uuid": draw.hex(32),
            "collection_type": "pre_collection",
            "organization_uuid": None,
            "summary": self._summary(),
            "tags": [],
            "cisa_known_exploited": None,
            "epss_v2_score_lte": None,
            "epss_v2_percentile_gte": None,
        }
        if self.old:
            del hit["uid"], hit["pretty_name"]
        return json.dumps(hit).encode()

    def _summary(self) -> Json:
        pretty, category, severity = _NAMES[self._name()]
        state, _, detail = (self.status or "closed").partition("_")
        return {
            "pretty_name": pretty,
            "severity": severity,
            "scoped": True,
            "confidence": "confirmed",
            "status": self.status,
            "category": category,
            "identifiers": None,
            "status_new": state,
            "status_new_detailed": detail or None,
            "ticket_list": None,
        }

    def _name(self) -> str:
        return self._draw().choice(tuple(_NAMES))

    def _draw(self) -> Draw:
        return Draw(f"{self.seed}/issue/{self.project}/{self.number}/content")


@dataclass
class Issues:
    """All issues of one simulator: a steady flow by the clock, those that tests add, and changes of any of them."""

    seed: str
    pace: Pace = field(default_factory=Pace)
    _added: list[Issue] = field(default_factory=list)
    _status: dict[tuple[str, str], str] = field(default_factory=dict)
    _seen: dict[tuple[str, str], float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def reset(self) -> None:
        """Delete the added issues and all changes."""
        with self._lock:
            self._added, self._status, self._seen = [], {}, {}

    def add(self, project: str, date: float, *, count: int, spacing: float, old: bool) -> list[str]:
        """Add issues that were seen from a time on, and return their ids."""
        with self._lock:
            first = 2**30 + len(self._added)
            times = [(first + step, date + step * spacing) for step in range(count)]
            status = None if old else "open_new"
            new = [Issue(self.seed, project, number, time, time, status, old) for number, time in times]
            self._added += new
        return [issue.id for issue in new]

    def triage(self, project: str, name: str, status: str) -> None:
        """Give an issue a status; no date changes."""
        with self._lock:
            self._status[project, name] = status

    def see(self, project: str, names: Collection[str], date: float) -> None:
        """Let a scan see issues again; nothing else changes."""
        with self._lock:
            self._seen |= {(project, name): date for name in names}

    def current(self, project: str, now: float, *, flowing: bool) -> Iterator[Issue]:
        """Yield every issue of a project as it is now."""
        with self._lock:
            added, status, seen = list(self._added), dict(self._status), dict(self._seen)
        every = [one for one in added if one.project == project and one.first_seen <= now]
        if flowing:
            numbers = self.pace.numbers(
                self.pace.seconds(_EVERY_SECONDS), now - self.pace.seconds(_LISTED_SECONDS), now
            )
            every += (self._flowing(project, number, now) for number in numbers)
        for one in every:
            place = project, one.id
            changed = status.get(place, one.status)
            yield replace(one, status=changed, last_seen=max(one.last_seen, seen.get(place, 0.0)))

    def _flowing(self, project: str, number: int, now: float) -> Issue:
        seconds = self.pace.seconds
        born, scan = number * seconds(_EVERY_SECONDS), seconds(_SCAN_SECONDS)
        old = number % 10 == 9
        closed = not old and number % 6 == 0 and now >= born + seconds(_CLOSED_SECONDS)
        triaged = not old and number % 3 == 0 and now >= born + seconds(_TRIAGED_SECONDS)
        status = "closed_mitigated" if closed else "open_triaged" if triaged else None if old else "open_new"
        end = born + seconds(_CLOSED_SECONDS) if closed else now
        return Issue(self.seed, project, number, born, max(born, end // scan * scan), status, old)


def written(time: float) -> str:
    """Write a time as the API does."""
    return f"{datetime.fromtimestamp(time, UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
