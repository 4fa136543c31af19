"""Responses of services called by a schedule or an operator: JSON, one entry per feed, 500 if any feed failed."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError

from shared.contracts.outcomes import MeshError
from shared.contracts.validation_errors import describe_errors
from shared.runtime.json_bytes import write_json
from shared.runtime.logs import log_context

B = TypeVar("B", bound=BaseModel)

JsonAnswer = tuple[bytes, int, dict[str, str]]

log = logging.getLogger(__name__)


class BadRequestError(MeshError):
    """The caller's request body is wrong."""


def json_answer(content: object, status: int = 200) -> JsonAnswer:
    """Return a JSON response."""
    return write_json(content) + b"\n", status, {"Content-Type": "application/json"}


def answer_each(feeds: Iterable[str], work: Callable[[str], object]) -> JsonAnswer:
    """Run the work for every feed; a feed that fails does not stop the others but makes the response a 500."""
    done, failed = run_each(feeds, work)
    return json_answer(done, 500 if failed else 200)


def run_each(feeds: Iterable[str], work: Callable[[str], object]) -> tuple[dict[str, object], bool]:
    """Run the work for every feed; return the results, errors among them, and whether a feed failed."""
    done: dict[str, object] = {}
    failed = False
    for feed in feeds:
        with log_context(feed=feed):
            try:
                done[feed] = work(feed)
            except MeshError as error:
                log.error("feed.failed: %s", error, extra={"fields": {"error_type": error.error_type}})
                done[feed], failed = {"error": str(error)}, True
            except Exception as error:
                # The boundary where an unexpected exception becomes the failure of this feed only.
                log.exception("feed.failed")
                done[feed], failed = {"error": type(error).__name__}, True
    return done, failed


def read_body(request: Request, kind: type[B]) -> B:
    """Parse a JSON request body; raise BadRequestError with the field and the reason."""
    try:
        return kind.model_validate_json(request.get_data())
    except ValidationError as error:
        raise BadRequestError(describe_errors(error)) from None
