"""The indicators of a list in an hour: entities of the simulated feeds, as lists show them.

A list has fewer attributes than a feed, and text in lower case. Attributes are those of the download: another one later
gives other bytes. Some indicators are on every list of their types, and some come again in the next hour.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from infra.local.virustotal.content.entity_version import Json
from infra.local.virustotal.packages import WRITERS, Package

FILES = ("file",)
NETWORK = ("domain", "ip_address", "url")
TYPES = ("domain", "file", "ip_address", "url")
LISTS = {
    "ransomware": FILES,
    "malicious-network-infrastructure": NETWORK,
    "malware": TYPES,
    "threat-actor": TYPES,
    "trending": TYPES,
    **dict.fromkeys(("mobile", "osx", "linux", "iot", "first-stage-delivery-vectors", "infostealer"), FILES),
    "cryptominer": TYPES,
    "vulnerability-weaponization": TYPES,
    "phishing": NETWORK,
}
"""The lists and the types of their indicators; the first two belong to every tier."""
TIERS = {"standard": tuple(LISTS)[:2], "enterprise": tuple(LISTS)[:5], "enterprise_plus": tuple(LISTS)}

_FEEDS = {"file": "files", "domain": "domains", "ip_address": "ip_addresses", "url": "urls"}
_KEPT = (
    *("creation_date", "first_submission_date", "last_submission_date", "tags", "times_submitted", "type_tags"),
    *("md5", "vhash", "meaningful_name", "names", "url", "last_http_response_code", "jarm"),
    *("asn", "as_owner", "continent", "country", "network", "regional_internet_registry"),
)
_LOWER = ("meaningful_name", "names", "as_owner", "continent", "country", "regional_internet_registry")
_SHARED_EVERY = 5
_AGAIN_EVERY = 7
_FAMILY_EVERY = 4


@dataclass(frozen=True)
class ListHour:
    """One list in one hour, of `count` indicators."""

    seed: str
    name: str
    hour: datetime
    count: int

    def elements(self, fetched: datetime, kind: str | None = None) -> list[Json]:
        """Return the elements in ascending order of their ids, of one type or all."""
        places = map(self._place, range(self.count))
        found = [_element(self.name, self.seed, place, fetched) for place in places if kind in (None, place.kind)]
        return sorted(found, key=lambda one: str(one["id"]))

    def _place(self, number: int) -> "_Place":
        types = LISTS[self.name]
        kind = types[number % len(types)]
        if number % _AGAIN_EVERY == 1 and number >= len(types):
            # What an earlier number of this type was in the hour before.
            return _Place(self.hour - timedelta(hours=1), number - len(types), kind)
        return _Place(self.hour, number, kind)


@dataclass(frozen=True)
class _Place:
    """What an indicator is: its hour, its number in it, and its type."""

    hour: datetime
    number: int
    kind: str


def _element(name: str, seed: str, place: _Place, fetched: datetime) -> Json:
    kind, number = place.kind, place.number
    entity = number * len(LISTS) + (0 if number % _SHARED_EVERY == 0 else list(LISTS).index(name))
    minute = Package(seed, _FEEDS[kind], place.hour + timedelta(minutes=entity % 60), 0)
    line = WRITERS[minute.feed](minute.birth(entity // 60))
    return {
        "type": kind,
        "id": line["id"],
        "attributes": _attributes(line["attributes"], kind, number, int(fetched.timestamp())),
        "relationships": _families(number),
        "context_attributes": {"threat_list_id": name},
    }


def _attributes(full: object, kind: str, number: int, fetched: int) -> Json:
    given: Json = dict(full) if isinstance(full, dict) else {}
    kept = {name: _lowered(value) if name in _LOWER else value for name, value in given.items() if name in _KEPT}
    stats = given["last_analysis_stats"]
    stats = {name: value for name, value in stats.items() if value} if isinstance(stats, dict) else {}
    # What engines say goes on changing after the hour.
    stats["malicious"] = stats.get("malicious", 0) + fetched // 60 % 3
    analysed = {} if kind in NETWORK[:2] else {"last_analysis_date": given["last_analysis_date"]}
    return {
        "gti_assessment": {
            "verdict": {"value": "VERDICT_MALICIOUS"},
            "threat_score": {"value": 30 + 10 * (number % 7) + fetched // 60 % 3},
            "severity": {"value": "SEVERITY_LOW"},
        },
        **kept,
        **analysed,
        "tld": ["example"] if kind == "domain" else "example",
        "last_analysis_stats": stats,
        "last_modification_date": fetched - fetched % 60,
        "positives": stats["malicious"],
    }


def _lowered(value: object) -> object:
    return json.loads(json.dumps(value, ensure_ascii=False).lower())


def _families(number: int) -> Json:
    if number % _FAMILY_EVERY:
        return {}
    name = f"family-{number % 3}"
    family = {"id": f"simulated_{name}", "type": "collection", "attributes": {"name": name}}
    return {"malware_families": {"data": [family]}}
