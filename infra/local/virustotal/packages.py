"""The content of a minute: a pure function of seed, feed, minute and number of lines; nothing is stored.

An entity first appears in one minute and returns in later ones, so that every case of the version order occurs: a newer
analysis, the same analysis with a newer modification, an older analysis, and two versions within one minute.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from infra.local.virustotal.content import domain, file, file_behaviour, ip_address, url
from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity import ROLES, Entity, is_fresh
from infra.local.virustotal.content.entity_version import EntityVersion, Json

WRITERS: dict[str, Callable[[EntityVersion], Json]] = {
    "domains": domain.write,
    "files": file.write,
    "urls": url.write,
    "ip_addresses": ip_address.write,
    "file_behaviours": file_behaviour.write,
}

# Minutes since a returning entity first appeared: mostly within a demo's half hour, sometimes a day.
_AGES = (1, 1, 2, 3, 5, 8, 13, 60, 240, 1440)

_HOUR = 3600


@dataclass(frozen=True)
class Package:
    """The coordinates of one minute of one feed."""

    seed: str
    feed: str
    minute: datetime
    lines: int

    def lines_as_bytes(self) -> list[bytes]:
        """Return every line without its line end, with the separators of real packages."""
        write = WRITERS[self.feed]
        return [json.dumps(write(version)).encode() for version in self.versions()]

    def versions(self) -> list[EntityVersion]:
        """Return the entity version of each line."""
        draw = Draw(f"{self.seed}/{self.feed}/{self.minute.isoformat()}")
        seen = [self._version(draw, slot) for slot in range(self.lines)]
        draw.shuffle(seen)
        return seen

    def _version(self, draw: Draw, slot: int) -> EntityVersion:
        role = ROLES[slot % len(ROLES)]
        if role == "F":
            return self.birth(slot)
        born = draw.choice(self._fresh_slots)
        if role == "T":
            return _twin(draw, self.birth(born))
        then = replace(self, minute=self.minute - timedelta(minutes=draw.choice(_AGES)))
        return self._return(draw, role, then.birth(born))

    @cached_property
    def _fresh_slots(self) -> list[int]:
        return [slot for slot in range(self.lines) if is_fresh(slot)]

    def birth(self, slot: int) -> EntityVersion:
        """Return the first version of the entity that first appears on a slot of this minute."""
        start = int(self.minute.timestamp())
        entity = Entity(f"{self.seed}/{self.minute.isoformat()}", self.feed, slot, start)
        draw = entity.draw("birth")
        ago = draw.randint(0, 8 * _HOUR) if draw.chance(0.6) else draw.randint(0, 50)
        # All lines of a real package were modified in its last seconds; second 59 is for twins.
        return EntityVersion(entity, analysed=start + 50 - ago, modified=start + draw.randint(57, 58))

    def _return(self, draw: Draw, role: str, first: EntityVersion) -> EntityVersion:
        start = int(self.minute.timestamp())
        analysed = {
            "N": start + draw.randint(0, 55),
            "E": first.analysed,
            "O": first.analysed - draw.randint(_HOUR, 24 * _HOUR),
        }[role]
        return replace(first, analysed=analysed, modified=start + draw.randint(57, 59))


def _twin(draw: Draw, first: EntityVersion) -> EntityVersion:
    last_second = first.modified // 60 * 60 + 59
    return draw.choice(
        (
            first,
            replace(first, modified=last_second),
            replace(first, analysed=first.analysed + 1, modified=last_second),
        )
    )
