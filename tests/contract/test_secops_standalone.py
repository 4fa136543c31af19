"""`gti-mesh secops`: both halves in one process, and the check of the parser, against the simulators."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import stamina
from typer.testing import CliRunner, Result

from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.virustotal.streams.client import ListsControl
from services.console.main import app
from tests.secops import CUSTOMER, LOG_TYPE, RunningSecOps
from tests.simulator import Running

AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=50)


@pytest.fixture(autouse=True)
def _quick_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


@pytest.fixture
def lists(vt: Running, secops: RunningSecOps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ListsControl:
    """Point the command at both simulators, with seven notifications."""
    monkeypatch.chdir(tmp_path)
    settings = {
        "GCP_PROJECT": "p",
        "LANDING_BUCKET": "b",
        "VT_API_URL": f"{vt.url}/api/v3",
        "VT_API_KEY": DEFAULT_KEY,
        "SECOPS_API_URL": secops.url,
        "CHRONICLE_CUSTOMER_ID": CUSTOMER,
        "SECOPS_MAX_REQUEST_LOGS": "3",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    lists = ListsControl(vt.url)
    lists.set_settings(flowing=False)
    lists.add(AGO, count=7, spacing=10)
    return lists


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["secops", *arguments])


def once() -> Result:
    """Forward once, into a folder."""
    return run("run", "--once", "--folder", "pages")


@pytest.mark.usefixtures("lists")
def test_a_run_forwards_what_is_new_and_the_next_one_nothing(secops: RunningSecOps, tmp_path: Path) -> None:
    """The log and the deliveries lie in the folder."""
    first, second = once(), once()
    assert (first.exit_code, first.output) == (0, "ioc_stream: 7 new notifications in 3 pages\n")
    assert second.output == "ioc_stream: 0 new notifications in 0 pages\n"
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates) == (7, 0)
    pages = tmp_path / "pages/streams/ioc_stream/pages"
    assert len(list(pages.glob("*.delivery.json"))) == 3


@pytest.mark.usefixtures("lists")
def test_a_run_that_fails_is_gone_on_with(secops: RunningSecOps) -> None:
    """Exit 1 while SecOps is down; the next run delivers the rest, and nothing twice."""
    secops.control.set_faults({"kind": "unavailable", "after": 1, "times": None})
    failed = once()
    assert failed.exit_code == 1
    assert "stopped: logs:import was answered 503" in failed.output
    secops.control.set_faults()
    assert once().exit_code == 0
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates) == (7, 0)


def test_a_dead_letter_is_kept_and_told(
    secops: RunningSecOps, lists: ListsControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An item that fits into no request lies in the folder with its reason; everything else goes on."""
    monkeypatch.setenv("SECOPS_MAX_REQUEST_BYTES", "400000")
    [big] = lists.add(AGO + timedelta(seconds=5), padding=500_000)
    done = once()
    assert done.exit_code == 0
    assert f"item {big} needs a request of" in done.output
    assert len(list((tmp_path / "pages/dead/ioc-pages-dead").iterdir())) == 1
    assert secops.control.stats().log_type(LOG_TYPE).logs == 7


@pytest.mark.usefixtures("lists")
def test_the_parser_is_run_on_cleaned_and_verbatim_samples(tmp_path: Path) -> None:
    """Made-up ones by default, or those of a file."""
    assert run("check-parser").output.count(": 1 event") == 18
    (tmp_path / "one.ndjson").write_text('{"id":"x","type":"domain"}\n')
    assert run("check-parser", "--samples", "one.ndjson").output.count(": 1 event") == 2
    (tmp_path / "one.ndjson").write_text('{"id":"x"}\nsome text\n')
    assert "one.ndjson, line 2: is no JSON object: b'some text'" in str(
        run("check-parser", "--samples", "one.ndjson").exception
    )


@pytest.mark.usefixtures("lists")
def test_without_an_instance_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the setting."""
    monkeypatch.setenv("CHRONICLE_CUSTOMER_ID", "")
    for arguments in (["run", "--once"], ["check-parser"]):
        assert "set CHRONICLE_CUSTOMER_ID" in str(run(*arguments).exception)
