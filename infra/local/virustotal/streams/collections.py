"""Collections of every type, each a pure function of seed, type, number and its latest modification."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity_version import API, Json
from infra.local.virustotal.streams.pace import Pace


@dataclass(frozen=True)
class Flow:
    """How many collections of a type there are, and how often one of them is modified."""

    count: int
    seconds: int


# gtidocs.virustotal.com/reference/collections lists the types.
FLOWS = {
    "vulnerability": Flow(500, 300),
    "report": Flow(200, 900),
    "collection": Flow(200, 1800),
    "malware-family": Flow(100, 1800),
    "campaign": Flow(50, 3600),
    "threat-actor": Flow(50, 3600),
    "software-toolkit": Flow(20, 7200),
}
COLLECTION_TYPES = tuple(FLOWS)
# Of a type at a fast pace, so that the same ones are modified again soon.
_FEWEST = 5
_REAL = Pace()
_RELATED = {"files": "file", "urls": "url", "domains": "domain", "ip_addresses": "ip_address"}


@dataclass(frozen=True)
class Collection:
    """One collection at its latest modification."""

    seed: str
    kind: str
    number: int
    date: int

    @property
    def id(self) -> str:
        """The collection's id."""
        if self.kind == "vulnerability":
            return f"vulnerability--cve-{datetime.fromtimestamp(self.date, UTC).year}-{10_000 + self.number}"
        digits = self._draw("id").hex(64)
        return digits if self.kind == "collection" else f"{self.kind}--{UUID(digits[:32])}"

    def written(self) -> bytes:
        """Return the item as JSON."""
        draw = self._draw("content")
        special = self._vulnerability(draw) if self.kind == "vulnerability" else {"name": draw.words(2)}
        attributes: Json = {
            "collection_type": self.kind,
            "origin": "Google Threat Intelligence",
            "creation_date": self.date - draw.randint(1, 30) * 86_400,
            "last_modification_date": self.date,
            "private": self.kind != "collection",
            "tags": [],
            **special,
        }
        item: Json = {
            "id": self.id,
            "type": "collection",
            "links": {"self": f"{API}/collections/{self.id}"},
            "attributes": attributes,
            "context_attributes": {"shared_with_me": False, "role": "viewer"},
        }
        return json.dumps(item).encode()

    def _vulnerability(self, draw: Draw) -> Json:
        return {
            "name": self.id.removeprefix("vulnerability--").upper(),
            "risk_rating": draw.choice(("LOW", "MEDIUM", "HIGH", "CRITICAL")),
            "exploitation_state": draw.choice(("No Known", "Anticipated", "Confirmed")),
            "cvss": {"cvssv3_x": {"base_score": draw.randint(30, 100) / 10}},
            "epss": {"score": draw.randint(1, 99) / 100},
            "executive_summary": draw.words(60),
            "cpes": [],
            "mve_id": None,
        }

    def _draw(self, what: str) -> Draw:
        return Draw(f"{self.seed}/{self.kind}/{self.number}/{what}")


def related(seed: str, collection: str, relation: str, limit: int) -> list[Json]:
    """Return the first related objects of a collection, as types and ids."""
    draw = Draw(f"{seed}/{collection}/{relation}")
    kind = _RELATED.get(relation, "collection")
    found: list[Json] = [{"type": kind, "id": draw.hex(64)} for _ in range(draw.randint(0, 60))]
    return found[:limit]


def collections(seed: str, kind: str, now: int, begin: int, end: int, pace: Pace = _REAL) -> Iterator[Collection]:
    """Yield every collection of a type whose latest modification is in [begin, end]."""
    flow = FLOWS[kind]
    seconds, count = pace.seconds(flow.seconds), max(_FEWEST, round(flow.count / pace.times))
    for version in pace.numbers(seconds, now - count * seconds, now):
        one = Collection(seed, kind, version % count, int(version * seconds))
        if begin <= one.date <= end:
            yield one
