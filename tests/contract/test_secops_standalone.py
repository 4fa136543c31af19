"""`gti-mesh secops`: both halves in one process, and the check of the parser, against the simulators."""

import base64
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gti_mesh.main import app
from infra.local.secops.log_types import local_log_types
from infra.local.secops.store import Kept
from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.virustotal.streams.client import ListsControl
from services.secops_forwarder.standalone.run import run_standalone
from tests.support.secops import CUSTOMER, LOG_TYPE, RunningSecOps
from tests.support.simulator import Running

pytestmark = pytest.mark.usefixtures("two_attempts")

NOTHING_NEW = "ioc_stream: 0 new notifications in 0 pages, 0 accepted by SecOps\n"
AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=50)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Restore the log handlers: the command's write to an output that ends with it."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


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
        **local_log_types(),
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
    """The first run delivers every notification and keeps log and deliveries in the folder.

    The next has nothing to do.
    """
    first, second = once(), once()
    lines = [
        "ioc_stream: the tenant has the log type GTI_IOC_STREAM_CUSTOM",
        "ioc_stream: 7 new notifications in 3 pages, 7 accepted by SecOps",
    ]
    assert (first.exit_code, first.output.splitlines()) == (0, lines)
    assert second.output == NOTHING_NEW
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates) == (7, 0)
    pages = tmp_path / "pages/streams/ioc_stream/pages"
    assert len(list(pages.glob("*.delivery.json"))) == 3


@pytest.mark.usefixtures("lists")
def test_a_run_that_fails_is_gone_on_with(secops: RunningSecOps) -> None:
    """A run fails with exit 1 while SecOps is down; the next delivers the rest and new items, and nothing twice."""
    secops.control.set_faults({"kind": "unavailable", "after": 1, "times": None})
    failed = once()
    assert failed.exit_code == 1
    assert "stopped: logs:import was answered 503" in failed.stdout
    assert "3 accepted by SecOps, the next run continues from there" in failed.stdout
    assert re.search(r"WARNING retry\.waiting: [0-9.]+ s after logs:import was answered 503", failed.stderr)
    secops.control.set_faults()
    healed = once()
    assert (healed.exit_code, healed.stdout) == (
        0,
        "ioc_stream: 1 new notifications in 1 pages, 4 accepted by SecOps\n",
    )
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates) == (7, 0)


def test_a_dead_letter_is_kept_and_told(
    secops: RunningSecOps, lists: ListsControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An item that fits into no request is kept in the folder with its reason; everything else is delivered."""
    monkeypatch.setenv("SECOPS_MAX_REQUEST_BYTES", "400000")
    [big] = lists.add(AGO + timedelta(seconds=5), padding=500_000)
    done = once()
    assert done.exit_code == 0
    assert f"item {big} needs a request of" in done.output
    assert len(list((tmp_path / "pages/dead-letters").iterdir())) == 1
    assert secops.control.stats().log_type(LOG_TYPE).logs == 7


@pytest.mark.usefixtures("lists")
@pytest.mark.parametrize("kind", ["forbidden", "unauthorized", "not_found"])
def test_a_refusal_of_the_destination_stops_the_run(secops: RunningSecOps, kind: str) -> None:
    """When SecOps refuses everything, the run ends with exit 1 and the reason, without dead letters.

    The next delivers.
    """
    secops.control.set_faults({"kind": kind, "after": 2, "times": None})
    refused = once()
    assert refused.exit_code == 1
    assert "ioc_stream: stopped: logs:import was answered 40" in refused.stdout
    assert "; 6 accepted by SecOps, the next run continues from there" in refused.stdout
    assert "dead letter" not in refused.stdout
    secops.control.set_faults()
    assert once().exit_code == 0
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates) == (7, 0)


@pytest.mark.usefixtures("lists")
def test_a_log_type_that_the_tenant_does_not_have_is_told_once(
    secops: RunningSecOps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing log type is reported once, before the first page is refused.

    Once it exists, everything is delivered.
    """
    monkeypatch.setenv("CHRONICLE_LOG_TYPE", "GTI_IOC_STREAM")
    outputs = [once().stdout for _ in range(2)]
    assert [text.count("the tenant has no log type GTI_IOC_STREAM: check that") for text in outputs] == [1, 0]
    monkeypatch.setenv("CHRONICLE_LOG_TYPE", "GCP_THREATINTEL")
    assert "the tenant has the log type GCP_THREATINTEL" in once().stdout
    kept = secops.control.logs("GCP_THREATINTEL")
    assert len(kept) == 7
    assert all('"hunting_info":' in log.data for log in kept)


def dead(*arguments: str) -> Result:
    """Handle the dead letters of the folder."""
    return CliRunner().invoke(app, ["dead", arguments[0], "--folder", "pages", *arguments[1:]])


def letters() -> list[dict[str, str]]:
    """Return the open dead letters of the folder."""
    found: list[dict[str, str]] = json.loads(dead("list", "--json").stdout)
    return found


def test_dead_letters_are_handled_without_pubsub(secops: RunningSecOps, lists: ListsControl) -> None:
    """Letters are listed with the reason, shown, and redriven; a redrive reports letters that are given up again."""
    refused, other, *_ = sorted(lists.ids(AGO, AGO + timedelta(minutes=2)))
    rules = [{"kind": "bad_request", "log": one, "times": None} for one in (refused, other)]
    secops.control.set_faults(*rules)
    assert once().exit_code == 0
    assert [letter["error_type"] for letter in letters()] == ["secops_refused"] * 2
    [first] = [letter["id"] for letter in letters() if refused in letter["reason"]]
    assert json.loads(dead("show", first).stdout)["redriven"] == 0
    again = dead("redrive", first)
    assert (again.exit_code, "delivered 0 dead letters" in again.stdout) == (1, True)
    assert json.loads(dead("show", first).stdout)["redriven"] == 1
    secops.control.set_faults()
    assert dead("redrive", first).stdout == "delivered 1 dead letter\n"
    assert refused in secops.control.keys(LOG_TYPE)
    assert dead("discard", "--all", "--yes").exit_code == 0
    assert letters() == []
    assert "no such dead letters: nothing" in dead("redrive", "nothing").output
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates) == (6, 0)


def test_pages_are_replayed_without_pubsub(
    secops: RunningSecOps, lists: ListsControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay skips delivered notifications unless the delivery was deleted, and needs no key of VirusTotal."""
    del lists
    once()
    monkeypatch.delenv("VT_API_KEY")
    lines = run("replay", "ioc_stream", "1", "3", "--folder", "pages")
    assert (lines.exit_code, lines.stdout) == (0, "3 pages of ioc_stream: 0 notifications accepted by SecOps\n")
    (tmp_path / "pages/streams/ioc_stream/pages/0000000002.delivery.json").unlink()
    assert "3 notifications accepted" in run("replay", "ioc_stream", "2", "--folder", "pages").stdout
    assert secops.control.stats().log_type(LOG_TYPE).duplicates == 3
    assert "the log has no page 4" in str(run("replay", "ioc_stream", "4", "--folder", "pages").exception)
    refused = run("replay", "threat_lists", "-3h", "--folder", "pages")
    assert refused.exit_code == 2
    assert "threat_lists lands in the bucket of a mesh" in " ".join(refused.output.split())


@pytest.mark.usefixtures("lists")
def test_a_daemon_outlives_an_error_of_a_file(tmp_path: Path) -> None:
    """A file error is reported with the file's name, and the next round continues."""
    lines: list[str] = []
    blocked = tmp_path / "pages/streams/ioc_stream"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder has to be")

    def pause(_: float) -> None:
        if len(lines) > 2:
            raise KeyboardInterrupt
        blocked.unlink()

    with pytest.raises(KeyboardInterrupt):
        run_standalone(Path("pages"), once=False, say=lines.append, pause=pause)
    assert re.match(
        r"ioc_stream: stopped: cannot use .*streams/ioc_stream.*: Not a directory; 0 accepted by SecOps", lines[1]
    )
    assert lines[2] == "ioc_stream: 7 new notifications in 3 pages, 7 accepted by SecOps"


def test_strange_notifications_hold_nothing_up(secops: RunningSecOps, lists: ListsControl) -> None:
    """Items with invalid dates are delivered; each item that is nested too deeply is a dead letter."""
    moment = AGO + timedelta(seconds=5)
    context = '"context_attributes": {"notification_id": "$ID", "notification_date": %s}'
    for date in ("-62135596800", "253402300799.9995", '"soon"'):
        lists.add(moment, text='{"id": "x", "type": "domain", ' + context % date + "}")
    for depth in (985, 5000):
        lists.add(moment, text='{"id": "x", ' + context % 1 + ', "a": ' + '{"a":' * depth + "1" + "}" * depth + "}")
    done = once()
    assert done.exit_code == 0
    assert done.output.count("dead letter: ") == 2
    assert "nested too deeply" in done.output
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates) == (10, 0)
    assert once().output == NOTHING_NEW


def verified(*arguments: str) -> Result:
    """Compare the folder with the tenant, over the last two hours."""
    begin, end = (f"{moment:%Y-%m-%dT%H:%MZ}" for moment in (AGO - timedelta(hours=1), AGO + timedelta(minutes=50)))
    return run("verify", "--folder", "pages", "--from", begin, "--to", end, *arguments)


@pytest.mark.usefixtures("lists")
def test_what_was_delivered_is_what_the_tenant_has(secops: RunningSecOps) -> None:
    """Everything delivered is found in the tenant; dead letters and logs of other types are not counted."""
    assert once().exit_code == 0
    found = verified()
    assert (found.exit_code, found.output.count("7 delivered, the tenant has 7 of GTI_IOC_STREAM_CUSTOM")) == (0, 1)
    secops.client.import_logs("OTHER_CUSTOM", as_request(secops, 0))
    assert verified().exit_code == 0


@pytest.mark.usefixtures("lists")
def test_what_is_there_twice_is_told(secops: RunningSecOps) -> None:
    """A log that the tenant has twice is reported, since delivery is at least once."""
    once()
    secops.client.import_logs(LOG_TYPE, as_request(secops, 3))
    found = verified()
    assert found.exit_code == 0
    assert "1 more than delivered" in found.output


@pytest.mark.usefixtures("lists")
def test_logs_of_another_sender_do_not_stand_for_ours(secops: RunningSecOps) -> None:
    """If the tenant has more logs of the type than were delivered, the count alone proves nothing."""
    once()
    ours = secops.control.logs(LOG_TYPE)
    secops.control.reset()
    for number, log in enumerate([*ours, *ours]):
        of_another = re.sub('"notification_id": *"[^"]*"', f'"notification_id":"other {number}"', log.data)
        secops.client.import_logs(LOG_TYPE, request_of(log.model_copy(update={"data": of_another})))
    found = verified()
    assert found.exit_code == 1
    assert "7 more than delivered" in found.output
    assert found.output.count("missing: ") == 7


def as_request(secops: RunningSecOps, number: int) -> bytes:
    """Return a request with a log that the tenant has."""
    return request_of(secops.control.logs(LOG_TYPE)[number])


def request_of(kept: Kept) -> bytes:
    """Return a request with one log."""
    data = base64.b64encode(kept.data.encode()).decode()
    times = {"log_entry_time": kept.log_entry_time, "collection_time": kept.collection_time}
    return json.dumps({"inline_source": {"logs": [{"data": data, **times}]}}).encode()


def test_what_the_tenant_does_not_have_is_named(
    secops: RunningSecOps, lists: ListsControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs that were accepted and never arrived are listed with how to send them again, with exit 1."""
    ids = lists.add(AGO + timedelta(minutes=5), count=40, spacing=3)
    assert once().exit_code == 0
    keep = [log for log in secops.control.logs(LOG_TYPE) if ids[17] not in log.data]
    secops.control.reset()
    for log in keep:
        secops.client.import_logs(LOG_TYPE, request_of(log))
    found = verified()
    assert found.exit_code == 1
    assert "47 delivered, the tenant has 46 of GTI_IOC_STREAM_CUSTOM" in found.output
    assert f"missing: {ids[17]}, of page" in found.output
    assert "delete its .delivery.json and run gti-mesh secops replay ioc_stream" in found.output.replace("\n", " ")
    monkeypatch.delenv("VT_API_KEY")
    assert verified().exit_code == 1


@pytest.mark.usefixtures("lists")
def test_credentials_that_may_not_search_are_told_so(secops: RunningSecOps) -> None:
    """If the credentials may not search, the error names the missing permission."""
    once()
    secops.control.arm({"kind": "forbidden", "method": "search", "times": None})
    text = str(verified().exception)
    assert "searchRawLogs was answered 403" in text
    assert "give the service account the permission chronicle.events.searchRawLogs" in text


@pytest.mark.usefixtures("lists")
def test_a_folder_without_pages_has_delivered_nothing(tmp_path: Path) -> None:
    """A folder without pages is an error instead of a success."""
    (tmp_path / "pages").mkdir()
    assert "has no page of ioc_stream" in str(verified().exception)


@pytest.mark.usefixtures("lists")
def test_without_an_instance_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an instance the error names the setting and all others that are missing."""
    monkeypatch.setenv("CHRONICLE_CUSTOMER_ID", "")
    for arguments in (["run", "--once"], ["check-parser"]):
        assert "set CHRONICLE_CUSTOMER_ID" in str(run(*arguments).exception)
    for name in ("GCP_PROJECT", "LANDING_BUCKET", "VT_API_KEY", "CHRONICLE_LOG_TYPE"):
        monkeypatch.delenv(name)
    lines = str(run("run", "--once").exception).splitlines()[1:]
    names = ["CHRONICLE_CUSTOMER_ID", "CHRONICLE_LOG_TYPE", "GCP_PROJECT", "LANDING_BUCKET", "VT_API_KEY_SECRET"]
    assert sorted(line.strip().partition(":")[0] for line in lines) == names
    lines = str(run("run", "--once", "--folder", "pages").exception).splitlines()[1:]
    assert len(lines) == len(names) - 1
