"""The names of entities."""

import hashlib
from functools import lru_cache
from typing import NamedTuple

from infra.local.virustotal.content.entity import Entity

_IPV6_SHARE = 0.2
# A line names a few entities of other feeds, and their lines name it.
_REMEMBERED = 4096


class Hashes(NamedTuple):
    """The hashes of a file."""

    sha256: str
    sha1: str
    md5: str


@lru_cache(_REMEMBERED)
def domain_name(entity: Entity) -> str:
    """Return the name of a domain."""
    draw = entity.draw("name")
    name = draw.domain()
    return f"{draw.word()}.{name}" if draw.chance(0.5) else name


@lru_cache(_REMEMBERED)
def address(entity: Entity) -> str:
    """Return an IP address."""
    draw = entity.draw("name")
    return draw.ipv6() if draw.chance(_IPV6_SHARE) else draw.ipv4()


@lru_cache(_REMEMBERED)
def url(entity: Entity) -> str:
    """Return a URL on the domain of its slot."""
    return entity.draw("name").url(domain_name(entity.in_feed("domains")))


@lru_cache(_REMEMBERED)
def hashes(entity: Entity) -> Hashes:
    """Return the hashes of a file."""
    draw = entity.draw("name")
    return Hashes(draw.hex(64), draw.hex(40), draw.hex(32))


def url_id(address: str) -> str:
    """Return the id of a URL: its SHA-256, as at VirusTotal."""
    return hashlib.sha256(address.encode()).hexdigest()
