"""The SecOps simulator's memory: what it has accepted is accepted for good."""

import base64
from pathlib import Path

from infra.local.secops.journal import Journal
from infra.local.secops.requests import Log
from infra.local.secops.store import Store

NOON, LATER = "2026-11-21T12:00:00Z", "2026-11-21T12:00:01Z"


def test_what_was_accepted_outlives_a_kill(tmp_path: Path) -> None:
    """A new process counts what the one before it had accepted, repetitions too; a reset forgets it for good."""
    file = tmp_path / "accepted.jsonl"
    data = base64.b64encode(b'{"notification_id": "1"}').decode()
    log = Log.model_validate({"data": data, "log_entry_time": NOON, "collection_time": LATER})
    before = Store(10, Journal(file))
    before.accept("GTI", [log, log], b"body")
    before.accept("GTI", [log], b"body")
    after = Store(10, Journal(file))
    assert after.keys("GTI") == ["1"]
    assert after.report().log_types == before.report().log_types
    assert after.report().log_type("GTI").repeated_bodies == 1
    after.clear()
    assert Store(10, Journal(file)).keys("GTI") == []
