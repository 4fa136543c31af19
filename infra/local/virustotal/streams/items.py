"""What the lists hold: notifications and vulnerabilities, each a pure function of seed, number and date.

Entities recur, as they do in real streams; their text is made once.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache

from infra.local.virustotal.content import domain, file, ip_address, url
from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.sighting import API, Json, Sighting
from shared.json_bytes import write_json

_WRITERS: dict[str, Callable[[Sighting], Json]] = {
    "file": file.write,
    "domain": domain.write,
    "url": url.write,
    "ip_address": ip_address.write,
}
ENTITY_TYPES = tuple(_WRITERS)
ORIGINS = ("hunting", "subscriptions")
SOURCE_TYPES = ("hunting_ruleset", "retrohunt_job", "collection", "threat_actor", "threat_profile")

_ENTITIES_A_TYPE = 25
_IDS = 2**31


@dataclass(frozen=True)
class Notification:
    """One notification; padding lengthens its snippet."""

    seed: str
    number: int
    date: int
    padding: int = 0

    @cached_property
    def id(self) -> str:
        """The notification's id, which does not grow with time."""
        # Multiplying by an odd number permutes the residues of a power of two.
        return str(20_000_000_000 + self.number * 2_654_435_761 % _IDS)

    @property
    def entity_type(self) -> str:
        """What kind of thing was seen."""
        return ENTITY_TYPES[self.number % len(ENTITY_TYPES)]

    @property
    def origin(self) -> str:
        """Where the notification comes from."""
        return ORIGINS[self.number % 3 == 2]

    def sources(self) -> list[Json]:
        """Return one or two sources."""
        if self.origin == "hunting":
            kind = "retrohunt_job" if self.number % 5 == 0 else "hunting_ruleset"
            return [{"id": str(20_136_027_000 + self.number % 7), "type": kind, "label": f"ruleset {self.number % 7}"}]
        profile: Json = {"id": f"{self.number % 3:032x}", "type": "threat_profile", "label": "Our sector"}
        family: Json = {
            "id": f"malware--{self.number % 9:08x}",
            "type": "collection",
            "label": f"FAMILY{self.number % 9}",
        }
        return [profile, family] if self.number % 2 else [profile]

    def tags(self) -> list[str]:
        """Return the tags of the rule that matched."""
        return [f"ruleset_{self.number % 7}", "brandmonitoring"] if self.origin == "hunting" else []

    def context(self) -> Json:
        """Return what belongs to the notification and not to its entity."""
        return {
            "notification_id": self.id,
            "origin": self.origin,
            "notification_date": self.date,
            "sources": self.sources(),
            "tags": self.tags(),
            "hunting_info": self._hunting_info(),
        }

    def entity(self) -> bytes:
        """Return the entity as JSON."""
        return _entity(self.seed, self.entity_type, self.number // len(ENTITY_TYPES) % _ENTITIES_A_TYPE)

    def written(self) -> bytes:
        """Return the item as JSON."""
        return b'%b, "context_attributes": %b}' % (self.entity()[:-1], write_json(self.context()))

    def _hunting_info(self) -> Json | None:
        if self.origin == "subscriptions" and not self.padding:
            return None
        snippet = f"*begin_highlight*{self.number:08X}*end_highlight*\n" + "A" * self.padding
        return {
            "rule_name": f"rule_{self.number % 11}",
            "rule_tags": ["brandmonitoring"],
            "snippet": snippet,
            "source_country": "NL",
            "match_source": "ORIGINAL_FILE" if self.entity_type == "file" else self.entity_type.upper(),
        }


@lru_cache(maxsize=len(ENTITY_TYPES) * _ENTITIES_A_TYPE)
def _entity(seed: str, kind: str, slot: int) -> bytes:
    analysed = 1_760_000_000 + slot * 3600
    entity = _WRITERS[kind](Sighting(f"{seed}/stream/{kind}/{slot}", analysed=analysed, modified=analysed + 60))
    # A feed's context is who submitted an object; a notification has its own under the same name.
    left_out = ("relationships", "context_attributes")
    return json.dumps({name: value for name, value in entity.items() if name not in left_out}).encode()


@dataclass(frozen=True)
class Vulnerability:
    """One vulnerability at its latest modification."""

    seed: str
    number: int
    date: int

    @property
    def id(self) -> str:
        """The collection's id."""
        return f"vulnerability--cve-{datetime.fromtimestamp(self.date, UTC).year}-{10_000 + self.number}"

    def written(self) -> bytes:
        """Return the item as JSON."""
        draw = Draw(f"{self.seed}/vulnerability/{self.number}")
        cve = self.id.removeprefix("vulnerability--").upper()
        attributes: Json = {
            "name": cve,
            "collection_type": "vulnerability",
            "origin": "Google Threat Intelligence",
            "creation_date": self.date - draw.randint(1, 30) * 86_400,
            "last_modification_date": self.date,
            "risk_rating": draw.choice(("LOW", "MEDIUM", "HIGH", "CRITICAL")),
            "exploitation_state": draw.choice(("No Known", "Anticipated", "Confirmed")),
            "cvss": {"cvssv3_x": {"base_score": draw.randint(30, 100) / 10}},
            "epss": {"score": draw.randint(1, 99) / 100},
            "executive_summary": draw.words(60),
            "cpes": [],
            "tags": [],
            "mve_id": None,
        }
        item: Json = {
            "id": self.id,
            "type": "collection",
            "links": {"self": f"{API}/collections/{self.id}"},
            "attributes": attributes,
            "context_attributes": {"shared_with_me": False, "role": "viewer"},
        }
        return json.dumps(item).encode()
