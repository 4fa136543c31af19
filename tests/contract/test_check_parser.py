"""`gti-mesh secops check-parser` against the simulator, which runs the parser."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gti_mesh.main import app
from tests.support.parser_samples import NOTIFICATIONS
from tests.support.secops import CUSTOMER, LOG_TYPE, RunningSecOps

TEXT = NOTIFICATIONS.text


@pytest.fixture(autouse=True)
def _tenant(secops: RunningSecOps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the command at the simulator; a key of VirusTotal is not needed."""
    monkeypatch.chdir(tmp_path)
    settings = {
        "GCP_PROJECT": "p",
        "LANDING_BUCKET": "b",
        "SECOPS_API_URL": secops.url,
        "CHRONICLE_CUSTOMER_ID": CUSTOMER,
        "STREAMS": "ioc_stream,dtm_alerts,asm_issues",
        "CHRONICLE_LOG_TYPE": LOG_TYPE,
        "CHRONICLE_LOG_TYPE_DTM_ALERTS": "MANDIANT_DTM_ALERTS",
        "CHRONICLE_LOG_TYPE_ASM_ISSUES": "MANDIANT_ASM_ISSUE",
        "SECOPS_FEEDS": "threat_lists",
        "CHRONICLE_LOG_TYPE_THREAT_LISTS": "GTI_THREAT_LISTS_CUSTOM",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


def check(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["secops", "check-parser", *arguments])


def check_text(text: str) -> Result:
    """Check another parser."""
    Path("own.conf").write_text(text)
    return check("--parser", "own.conf")


def test_the_samples_give_what_is_expected_of_them() -> None:
    """The samples give the expected records, cleaned and verbatim."""
    checked = check()
    assert checked.exit_code == 0, checked.output
    assert "files 1, verbatim: event GENERIC_EVENT, entity FILE\n" in checked.output
    assert "odd_items 1, cleaned: event GENERIC_EVENT\n" in checked.output
    assert "not as expected" not in checked.output


@pytest.mark.parametrize(
    ("stream", "result"),
    [
        ("dtm_alerts", "credentials 1, verbatim: event GENERIC_EVENT\n"),
        ("asm_issues", "vulnerabilities 1, cleaned: event SCAN_VULN_HOST\n"),
        ("threat_lists", "network 1, verbatim: entity URL\n"),
    ],
)
def test_the_samples_of_another_stream_are_run_by_its_parser(stream: str, result: str) -> None:
    """A stream has its own parser, samples and log type; threat lists share the parser of notifications."""
    checked = check(stream)
    assert checked.exit_code == 0, checked.output
    assert result in checked.output
    assert "not as expected" not in checked.output


def test_a_stream_without_a_parser_is_told_so() -> None:
    """And one without samples; an unknown stream with the known ones."""
    assert "no parser for the stream threat_actors: name yours with --parser" in str(check("threat_actors").exception)
    Path("own.conf").write_text(TEXT)
    reason = str(check("threat_actors", "--parser", "own.conf").exception)
    assert "no samples of the stream threat_actors: name yours with --samples" in reason
    assert "unknown stream 'alerts'; known streams: ioc_stream" in str(check("alerts").exception)


def test_logs_of_a_file_are_run(tmp_path: Path) -> None:
    """A file has one JSON object per line; any other line is refused with its number."""
    logs = tmp_path / "logs.ndjson"
    logs.write_text('{"id":"x","type":"domain"}\n{"id":"y","type":"ip_address"}\n')
    assert check("--samples", "logs.ndjson").output.count(": event GENERIC_EVENT\n") == 4
    logs.write_text('{"id":"x"}\nsome text\n')
    assert "logs.ndjson, line 2: not a JSON object: b'some text'" in str(check("--samples", "logs.ndjson").exception)


def test_more_logs_than_a_call_takes_are_run_in_several(tmp_path: Path) -> None:
    """A file with more logs than one call accepts is run in several calls."""
    (tmp_path / "logs.ndjson").write_text('{"id":"x","type":"domain"}\n' * 120)
    assert check("--samples", "logs.ndjson").output.count(": event GENERIC_EVENT\n") == 240


def test_without_the_stream_there_is_no_log_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the stream there is no log type, and the error names the setting."""
    monkeypatch.setenv("STREAMS", "vulnerabilities")
    monkeypatch.setenv("CHRONICLE_LOG_TYPE_VULNERABILITIES", "GTI_VULNERABILITIES_CUSTOM")
    assert "the parser is for the stream ioc_stream: add it to STREAMS" in str(check().exception)
    monkeypatch.setenv("SECOPS_FEEDS", "")
    assert "the parser is for the stream threat_lists: add it to SECOPS_FEEDS" in str(check("threat_lists").exception)


def test_differences_from_the_expected_records_are_named() -> None:
    """Records that differ from the expected ones are reported field by field, with exit 1."""
    checked = check_text(TEXT.replace("GENERIC_EVENT", "SCAN_FILE"))
    assert checked.exit_code == 1
    assert "  not as expected: 0.event.metadata.event_type is 'SCAN_FILE', not 'GENERIC_EVENT'" in checked.output


@pytest.mark.parametrize(
    ("old", "new", "reported"),
    [
        ("GENERIC_EVENT", "NO_EVENT", "LOG_PARSING_GENERATED_INVALID_EVENT"),
        ('"%{id}" } on_error => "absent"', '"%{ids}" }', "pipeline failed"),
        ('["file", "domain", "ip_address", "url"]', '["file"]', "urls 1, cleaned: no record: the parser dropped it"),
    ],
)
def test_a_log_without_a_record_is_told_with_the_reason(old: str, new: str, reported: str) -> None:
    """A log without a record is reported with the tenant's message, with exit 1."""
    checked = check_text(TEXT.replace(old, new))
    assert checked.exit_code == 1
    assert reported in checked.output


def test_a_text_that_is_no_parser_is_refused() -> None:
    """A text that is no parser is refused with the tenant's message."""
    assert "runParser was answered 400" in str(check_text("filter {").exception)


def test_credentials_that_may_not_run_parsers_are_told_so(secops: RunningSecOps) -> None:
    """If the credentials may not run parsers, the error names the call and the permission."""
    secops.control.arm({"kind": "forbidden", "method": "parsers", "times": None})
    text = str(check().exception)
    assert "runParser was answered 403" in text
    assert "give the service account the permission chronicle.parsers.run" in text


def test_without_an_instance_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an instance the error names the setting."""
    monkeypatch.setenv("CHRONICLE_CUSTOMER_ID", "")
    assert "set CHRONICLE_CUSTOMER_ID" in str(check().exception)
