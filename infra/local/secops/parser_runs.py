"""Answers logTypes.runParser by running the parser on every log."""

import base64
import binascii

from pydantic import BaseModel, ValidationError

from infra.local.secops.errors import error
from infra.local.secops.parsing.interpreter import Dropped, ParserError, run_parser
from infra.local.secops.parsing.proto_json import as_api_json, as_json
from infra.local.secops.parsing.syntax import Statement, read_parser
from infra.local.secops.parsing.tokens import ParserSyntaxError
from infra.local.secops.parsing.udm import problems
from infra.local.web import Answer, Request, json_answer
from shared.contracts.minutes import utc_now

_INVALID_ARGUMENT = 3


class _Parser(BaseModel):
    cbn: str


class RunParser(BaseModel):
    """The fields of RunParserRequest that count here; texts are base64."""

    parser: _Parser
    log: list[str]


def run_parser_request(request: Request) -> Answer:
    """Answer a request: a result for every log, in its order."""
    try:
        asked = RunParser.model_validate_json(request.body)
        parser = read_parser(_decoded(asked.parser.cbn))
        logs = [_decoded(log) for log in asked.log]
    except (ValidationError, ParserSyntaxError, binascii.Error, UnicodeDecodeError) as refused:
        return error(400, "INVALID_ARGUMENT", f"invalid request: {str(refused).splitlines()[0]}")
    return json_answer(200, {"runParserResults": [_result(parser, log) for log in logs]})


def _result(parser: tuple[Statement, ...], log: str) -> dict[str, object]:
    try:
        records = run_parser(parser, log, utc_now())
    except Dropped:
        return {"parsedEvents": {}}
    except ParserError as failed:
        return _failed(str(failed))
    for number, record in enumerate(records):
        for problem in problems(record):
            return _failed(f"invalid event {number}: LOG_PARSING_GENERATED_INVALID_EVENT: {problem}")
    return {"parsedEvents": {"events": [as_api_json(as_json(record)) for record in records]}}


def _failed(message: str) -> dict[str, object]:
    return {"error": {"code": _INVALID_ARGUMENT, "message": f"generic::invalid_argument: {message}"}}


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()
