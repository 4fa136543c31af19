"""Small objects in the bucket, each one model as JSON."""

from typing import TypeVar

import google_crc32c
from pydantic import BaseModel, ValidationError

from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import Misconfigured
from shared.contracts.validation_errors import describe_errors

B = TypeVar("B", bound=BaseModel)


def read_stored(bucket: Bucket, name: str, kind: type[B], *, remedy: str) -> tuple[B | None, int]:
    """Return an object's model and its generation, or None and 0 if the object does not exist.

    Raises Misconfigured with the address, the reason and the remedy if the object cannot be parsed.
    """
    stored = bucket.read(name)
    if stored is None:
        return None, 0
    try:
        return kind.model_validate_json(stored.data), stored.generation
    except ValidationError as error:
        raise Misconfigured(f"{bucket.uri(name)} cannot be read ({describe_errors(error)}); {remedy}") from None


def crc32c_of(data: bytes) -> str:
    """Return the checksum of an object's bytes in the format of a listing."""
    digest: bytes = google_crc32c.Checksum(data).hexdigest()  # type: ignore[no-untyped-call]
    return digest.decode()
