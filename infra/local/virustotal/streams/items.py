"""Notifications, each a pure function of seed, number and date.

Entities recur, as in real streams; their JSON is cached.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from infra.local.virustotal.content import domain, file, ip_address, url
from infra.local.virustotal.content.entity import Entity
from infra.local.virustotal.content.entity_version import EntityVersion, Json
from shared.runtime.json_bytes import write_json

_WRITERS: dict[str, Callable[[EntityVersion], Json]] = {
    "file": file.write,
    "domain": domain.write,
    "url": url.write,
    "ip_address": ip_address.write,
}
_FEEDS = {"file": "files", "domain": "domains", "url": "urls", "ip_address": "ip_addresses"}
ENTITY_TYPES = tuple(_WRITERS)
ORIGINS = ("hunting", "subscriptions")
SOURCE_TYPES = ("hunting_ruleset", "retrohunt_job", "collection", "threat_actor", "threat_profile")

_ENTITIES_A_TYPE = 25
_IDS = 2**31


@dataclass(frozen=True)
class Notification:
    """One notification; padding lengthens its snippet, and a text replaces its whole content."""

    seed: str
    number: int
    date: int
    padding: int = 0
    text: str | None = None

    @cached_property
    def id(self) -> str:
        """The notification's id; ids are not ordered by time."""
        # Multiplying by an odd number permutes the residues of a power of two.
        return str(20_000_000_000 + self.number * 2_654_435_761 % _IDS)

    @property
    def entity_type(self) -> str:
        """The type of the entity."""
        return ENTITY_TYPES[self.number % len(ENTITY_TYPES)]

    @property
    def origin(self) -> str:
        """The notification's origin."""
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
        """Return the attributes of the notification itself."""
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
        if self.text is not None:
            return self.text.replace("$ID", self.id).encode()
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
    of_slot = Entity(f"{seed}/stream", _FEEDS[kind], slot, analysed)
    entity = _WRITERS[kind](EntityVersion(of_slot, analysed=analysed, modified=analysed + 60))
    # A feed's context is the submitter; a notification has another context under the same name.
    left_out = ("relationships", "context_attributes")
    return json.dumps({name: value for name, value in entity.items() if name not in left_out}).encode()
