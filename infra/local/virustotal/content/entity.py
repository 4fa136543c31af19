"""The entities of all feeds, and their relations.

An entity first appears on a slot of a minute. Entities of the same minute refer to one another by their slots: a server
hosts the domains of the next slots, and a domain, its URL, a file that contacts it and that file's sandbox report have
the same slot. So feeds refer to one another although nothing is stored.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from infra.local.virustotal.content.draw import Draw

# One letter per line, repeated: (F)resh, (N)ewer, (E)qual analysis, (O)lder, (T)win of a fresh line.
ROLES = "FNFEFOFFTFNFFEFFOFNF"

# Fresh slots whose addresses are servers: each hosts the domains up to the next server.
_SERVERS = (0, 4, 12)
_BAD_SHARE = 0.25
_CONTACT_SHARE = 0.4


@dataclass(frozen=True)
class Entity:
    """An entity of a feed; world is its seed and first minute, born the second."""

    world: str
    feed: str
    slot: int
    born: int

    def draw(self, what: str = "") -> Draw:
        """Return the draw for values that are the same in all versions of the entity."""
        return Draw(f"{self.world}/{self.feed}/{self.slot}/{what}")

    def in_feed(self, feed: str) -> "Entity":
        """Return the related entity: that on the same slot of another feed."""
        return replace(self, feed=feed)


def is_fresh(slot: int) -> bool:
    """Return whether an entity first appears on a slot."""
    return ROLES[slot % len(ROLES)] == "F"


def server_of(entity: Entity) -> Entity:
    """Return the server of a domain or URL; a server's is itself."""
    first = entity.slot - entity.slot % len(ROLES)
    place = max(slot for slot in _SERVERS if slot <= entity.slot % len(ROLES))
    return replace(entity, feed="ip_addresses", slot=first + place)


def domains_of(address: Entity) -> list[Entity]:
    """Return the domains that an address serves; only servers have any."""
    around = range(address.slot - address.slot % len(ROLES), address.slot + len(ROLES))
    domains = (replace(address, feed="domains", slot=slot) for slot in around if is_fresh(slot))
    return [domain for domain in domains if server_of(domain) == address]


@lru_cache(4096)
def is_bad(entity: Entity) -> bool:
    """Return whether an entity's server hosts malware; its domains are detected more often, and are newer."""
    return server_of(entity).draw("bad").chance(_BAD_SHARE)


def contacts(entity: Entity) -> bool:
    """Return whether the file on a slot contacts the domain on the same slot when it runs."""
    return entity.in_feed("files").draw("contacts").chance(_CONTACT_SHARE)
