"""The simulator's answer to runParser, without a network."""

import base64
import json
from typing import Any

import pytest

from infra.local.secops.parser_runs import run_parser_request
from infra.local.web import Answer, Request

EVENT = "event1.idm.read_only_udm"
PARSER = f"""filter {{
  json {{ source => "message" array_function => "split_columns" on_error => "not_json" }}
  if [not_json] {{ drop {{ tag => "TAG_MALFORMED_MESSAGE" }} }}
  mutate {{ replace => {{ "{EVENT}.metadata.event_type" => "%{{type}}" }} }}
  mutate {{ replace => {{ "{EVENT}.metadata.vendor_name" => "VirusTotal" }} }}
  mutate {{ merge => {{ "@output" => "event1" }} }}
}}"""


def encoded(text: str) -> str:
    """Return a text as the API has it."""
    return base64.b64encode(text.encode()).decode()


def run(parser: str, *logs: str) -> Answer:
    """Run a parser on logs."""
    asked = {"parser": {"cbn": encoded(parser)}, "log": [encoded(log) for log in logs]}
    return run_parser_request(Request("POST", "/", body=json.dumps(asked).encode()))


def results(parser: str, *logs: str) -> list[dict[str, Any]]:
    """Return the results of a run that is not refused."""
    answer = run(parser, *logs)
    assert answer.status == 200
    found: list[dict[str, Any]] = json.loads(answer.body)["runParserResults"]
    return found


def test_every_log_has_a_result_in_its_order() -> None:
    """A dropped log has no events, and one whose parser fails has the reason."""
    one, dropped, failed = results(PARSER, '{"type": "GENERIC_EVENT"}', "no JSON", "{}")
    [event] = one["parsedEvents"]["events"]
    assert event["event"]["metadata"]["vendorName"] == "VirusTotal"
    assert dropped == {"parsedEvents": {}}
    assert '"type": field not set' in failed["error"]["message"]


def test_a_record_that_is_not_udm_is_an_error_of_its_log() -> None:
    """The error has the number of the event and the value."""
    [refused] = results(PARSER, '{"type": "NO_SUCH_EVENT"}')
    assert "LOG_PARSING_GENERATED_INVALID_EVENT" in refused["error"]["message"]
    assert "NO_SUCH_EVENT" in refused["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"no JSON",
        json.dumps({"log": []}).encode(),
        json.dumps({"parser": {"cbn": "no base64!"}, "log": []}).encode(),
        json.dumps({"parser": {"cbn": encoded("filter { mutate {")}, "log": []}).encode(),
    ],
)
def test_a_request_that_cannot_be_read_is_refused(body: bytes) -> None:
    """An unreadable request is refused as a whole, with status 400."""
    answer = run_parser_request(Request("POST", "/", body=body))
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["status"] == "INVALID_ARGUMENT"
