"""The relationships block: up to twenty neighbours a key, and links to the rest."""

import base64
from collections.abc import Callable

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.sighting import Json

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


def some(draw: Draw, share: float, most: int, make: Callable[[], Json]) -> list[Json]:
    """Return up to most neighbours in this share of cases, and none in the others."""
    return [make() for _ in range(draw.randint(1, most))] if draw.chance(share) else []


def file_neighbour(draw: Draw) -> Json:
    """Return a related file."""
    return {"type": "file", "id": draw.hex(64)}


def url_neighbour(draw: Draw, host: str) -> Json:
    """Return a related URL on a host."""
    return {"type": "url", "id": draw.hex(64), "context_attributes": {"url": draw.url(host)}}
