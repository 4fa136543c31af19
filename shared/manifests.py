"""Manifests: the objects whose existence means that a minute has landed."""

from datetime import datetime

from pydantic import ValidationError

from shared.messages import MinuteLanded
from shared.minutes import manifest_name
from shared.outcomes import Misconfigured
from shared.ports import Bucket
from shared.problems import problems


def read_manifest(bucket: Bucket, feed: str, minute: datetime) -> MinuteLanded | None:
    """Return a minute's manifest, or None when it has not landed; raise Misconfigured for an object that is none."""
    name = manifest_name(feed, minute)
    stored = bucket.read(name)
    if stored is None:
        return None
    mend = "delete it and replay the minute to land it anew"
    try:
        landed = MinuteLanded.model_validate_json(stored.data)
    except ValidationError as error:
        raise Misconfigured(f"{bucket.uri(name)} cannot be read ({problems(error)}); {mend}") from None
    if (landed.feed, landed.minute) != (feed, minute):
        raise Misconfigured(f"{bucket.uri(name)} is the manifest of another minute; {mend}")
    return landed
