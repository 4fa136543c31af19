"""Logs that the SecOps simulator has accepted survive a restart."""

import base64
import json
from pathlib import Path

from infra.local.secops.journal import Journal
from infra.local.secops.requests import Log
from infra.local.secops.store import Store

NOON, LATER = "2026-11-21T12:00:00Z", "2026-11-21T12:00:01Z"


def logged(number: int) -> Log:
    """Return the log of one notification."""
    data = base64.b64encode(b'{"notification_id": "%d"}' % number).decode()
    written = json.dumps({"data": data, "log_entry_time": NOON, "collection_time": LATER})
    return Log.model_validate_json(written)


def test_what_was_accepted_outlives_a_kill(tmp_path: Path) -> None:
    """A new process counts the logs accepted before, including duplicates; a reset deletes them."""
    file = tmp_path / "accepted.jsonl"
    log = logged(1)
    before = Store(10, Journal(file))
    before.accept("GTI", [log, log], b"body")
    before.accept("GTI", [log], b"body")
    after = Store(10, Journal(file))
    assert after.keys("GTI") == ["1"]
    assert after.report().log_types == before.report().log_types
    assert after.report().log_type("GTI").repeated_bodies == 1
    after.clear()
    assert Store(10, Journal(file)).keys("GTI") == []


def test_a_line_that_a_kill_has_cut_was_never_accepted(tmp_path: Path) -> None:
    """A truncated line had no response yet; the next start drops it, and later requests are kept as usual."""
    file = tmp_path / "accepted.jsonl"
    before = Store(10, Journal(file))
    before.accept("GTI", [logged(1)], b"one")
    whole = file.stat().st_size
    before.accept("GTI", [logged(2)], b"two")
    with file.open("ab") as cut:
        cut.truncate(whole + 20)
    after = Store(10, Journal(file))
    assert after.keys("GTI") == ["1"]
    after.accept("GTI", [logged(3)], b"three")
    assert Store(10, Journal(file)).keys("GTI") == ["1", "3"]
