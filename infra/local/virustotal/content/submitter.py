"""Submitters of files and URLs, and the download links of real lines, which need a key and expire after seven days."""

import base64

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity_version import API, EntityVersion, Json

_PLACES = (("brookhollow", "nw", "US"), ("steinfurt am see", "be", "DE"), ("port lorne", "qc", "CA"))


def submitter(draw: Draw) -> Json:
    """Return a submitter: with a place, or with an id and an interface only."""
    known: Json = {"id": draw.hex(8), "interface": draw.choice(("api", "web", "email"))}
    if draw.chance(0.5):
        return known
    city, region, country = draw.choice(_PLACES)
    return known | {"city": city, "region": region, "country": country}


def download_link(draw: Draw, feed: str, name: str, version: EntityVersion, artefact: str) -> str:
    """Return a download link with a token in the form of real lines."""
    token = f"{name}||v3||{version.modified}||{draw.hex(64)}".encode()
    return f"{API}/feeds/{feed}/{base64.urlsafe_b64encode(token).decode().rstrip('=')}/{artefact}"
