"""Answers of the services that a schedule or an operator calls: JSON, one entry a feed, 500 when one of them failed."""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, is_dataclass
from typing import TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError

from shared.logs import log_context
from shared.outcomes import MeshError
from shared.problems import problems

B = TypeVar("B", bound=BaseModel)

JsonAnswer = tuple[str, int, dict[str, str]]

log = logging.getLogger(__name__)


class BadRequestError(MeshError):
    """The caller's request body is wrong."""


def json_answer(content: object, status: int = 200) -> JsonAnswer:
    """Return a JSON response."""
    return json.dumps(content, default=str) + "\n", status, {"Content-Type": "application/json"}


def answer_each(feeds: Iterable[str], work: Callable[[str], object]) -> JsonAnswer:
    """Do the work for every feed; one that fails does not stop the others and turns the answer into a 500."""
    done: dict[str, object] = {}
    failed = False
    for feed in feeds:
        with log_context(feed=feed):
            try:
                result = work(feed)
                done[feed] = asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
            except MeshError as error:
                log.error("feed.failed: %s", error)
                done[feed], failed = {"error": str(error)}, True
            except Exception as error:
                # The boundary at which everything unforeseen becomes this feed's failure, and nobody else's.
                log.exception("feed.failed")
                done[feed], failed = {"error": type(error).__name__}, True
    return json_answer(done, 500 if failed else 200)


def read_body(request: Request, kind: type[B]) -> B:
    """Read a JSON request body; raise BadRequestError with the place and the reason."""
    try:
        return kind.model_validate_json(request.get_data())
    except ValidationError as error:
        raise BadRequestError(problems(error)) from None
