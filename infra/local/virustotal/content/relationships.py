"""The relationships block: up to twenty neighbours per key, and links to the rest."""

import base64
from collections.abc import Callable

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity_version import Json
from infra.local.virustotal.content.names import url_id

_PAGE = 20


def related(base: str, name: str, neighbours: list[Json], draw: Draw) -> Json:
    """Return one to-many relationship of the object at base; a full page points to the next one."""
    first = f"{base}/relationships/{name}?limit={_PAGE}"
    links: Json = {"self": first, "related": f"{base}/{name}"}
    if len(neighbours) < _PAGE:
        return {"data": neighbours, "links": links}
    cursor = base64.b64encode(draw.hex(24).encode()).decode()
    return {
        "data": neighbours,
        "meta": {"cursor": cursor},
        "links": {**links, "next": f"{first}&cursor={cursor}"},
    }


def one_related(base: str, name: str, neighbour: Json) -> Json:
    """Return a to-one relationship, whose data is an object."""
    links = {"self": f"{base}/relationships/{name}", "related": f"{base}/{name}"}
    return {"data": neighbour, "meta": {"count": 1}, "links": links}


def some(draw: Draw, share: float, limit: int, make: Callable[[], Json]) -> list[Json]:
    """Return up to `limit` neighbours in this share of cases, otherwise none."""
    return [make() for _ in range(draw.randint(1, limit))] if draw.chance(share) else []


def file_neighbour(sha256: str) -> Json:
    """Return a related file."""
    return {"type": "file", "id": sha256}


def url_neighbour(url: str) -> Json:
    """Return a related URL."""
    return {"type": "url", "id": url_id(url), "context_attributes": {"url": url}}


def domain_neighbour(name: str) -> Json:
    """Return a related domain."""
    return {"type": "domain", "id": name}


def address_neighbour(address: str) -> Json:
    """Return a related IP address."""
    return {"type": "ip_address", "id": address}


def resolution(address: str, name: str) -> Json:
    """Return the resolution of a domain to an address."""
    return {"type": "resolution", "id": f"{address}{name}"}
