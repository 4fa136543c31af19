"""The failed load jobs of a landed object: one small object next to it per failure."""

import logging
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import MinuteLanded
from shared.contracts.validation_errors import describe_errors

log = logging.getLogger(__name__)


class FailedAttempts(BaseModel):
    """The failed attempts, and the server's message if it rejected the data.

    lenient means that the last of them came after a rejection and was allowed to skip bad lines.
    """

    model_config = ConfigDict(frozen=True)

    attempts: Annotated[int, Field(ge=0)] = 0
    refusal: str = ""
    lenient: bool = False


class FailedAttemptsStore:
    """Reads and writes them. They only save calls: a job's id is checked in any case."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def read(self, landed: MinuteLanded) -> FailedAttempts | None:
        """Return a landed object's failed attempts; None if there are none, or the record cannot be parsed."""
        names = list(self._bucket.names(self._stem(landed)))
        stored = self._bucket.read(names[-1]) if names else None
        if stored is None:
            return None
        try:
            return FailedAttempts.model_validate_json(stored.data)
        except ValidationError as error:
            log.error("loader.tried_unreadable: %s (%s)", self._bucket.uri(names[-1]), describe_errors(error))
            return None

    def save(self, landed: MinuteLanded, tried: FailedAttempts) -> None:
        """Write them, unless another delivery has recorded this attempt: the loader must not overwrite anything."""
        self._bucket.create(f"{self._stem(landed)}{tried.attempts:05}.json", tried.model_dump_json().encode())

    def _stem(self, landed: MinuteLanded) -> str:
        return f"{self._bucket.name_of(landed.uri).removesuffix('.ndjson.gz')}.load-attempt-"
