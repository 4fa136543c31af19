"""Old and new revisions run side by side: messages and the ledger change by addition only."""

import json
from datetime import UTC, datetime

import pytest

from shared.contracts.messages import Message, Topic, ioc_page_landed, landing_event, minute_requested
from shared.streams.page_log import Published
from shared.warehouse.tables import LEDGER

# As 0.1.0 publishes them; a message waits for up to 7 days, a manifest for as long as the bucket keeps it.
REQUESTED = {"feed": "domains", "minute": "2026-11-21T14:10:00Z", "reason": "sweep", "force": True}
LANDED = {
    "feed": "domains",
    "minute": "2026-11-21T14:10:00Z",
    "event": "landed",
    "uri": "gs://landing/domains/2026/11/21/1410-3f9a.ndjson.gz",
    "rejects_uri": None,
    "crc32c": "0a1b2c3d",
    "lines": 60,
    "rejected": 2,
    "bytes": 1_234_567,
    "landed_at": "2026-11-21T15:11:02.123456Z",
}
ABSENT = {
    "feed": "domains",
    "minute": "2026-11-21T14:10:00Z",
    "event": "absent",
    "checked_at": "2026-11-21T22:11:02Z",
}
PAGE = {
    "stream": "ioc_stream",
    "sequence": 7,
    "uri": "gs://landing/streams/ioc_stream/pages/0000000007.json",
    "items": 40,
    "first_date": "2026-11-21T14:10:00Z",
    "last_date": "2026-11-21T14:12:00Z",
    "landed_at": "2026-11-21T14:15:00Z",
}
FIRST_MESSAGES = [
    (minute_requested, REQUESTED),
    (landing_event, LANDED),
    (landing_event, ABSENT),
    (ioc_page_landed, PAGE),
]
FIRST_COLUMNS = {
    "feed": "STRING",
    "minute": "TIMESTAMP",
    "event": "STRING",
    "lines": "INT64",
    "rejected": "INT64",
    "bytes": "INT64",
    "rows": "INT64",
    "uri": "STRING",
    "job_id": "STRING",
    "reason": "STRING",
    "source": "STRING",
    "attempts": "INT64",
    "message_id": "STRING",
    "at": "TIMESTAMP",
}


@pytest.mark.parametrize(("kind", "body"), FIRST_MESSAGES)
def test_messages_of_the_first_release_are_read(kind: Topic[Message], body: dict[str, object]) -> None:
    """New objects still have all fields of the first release."""
    message = kind.read(json.dumps(body).encode())
    assert set(body) <= set(json.loads(message.body))


@pytest.mark.parametrize(("kind", "body"), FIRST_MESSAGES)
def test_a_field_that_is_not_known_is_ignored(kind: Topic[Message], body: dict[str, object]) -> None:
    """Unknown fields of a newer revision are ignored."""
    newer = {**body, "added_later": {"any": "thing"}}
    assert kind.read(json.dumps(newer).encode()) == kind.read(json.dumps(body).encode())


def test_the_ledger_keeps_its_first_columns() -> None:
    """Columns keep order and types; new ones are nullable, because an old revision does not write them."""
    now = {column.name: column.type for column in LEDGER.columns}
    assert list(now.items())[: len(FIRST_COLUMNS)] == list(FIRST_COLUMNS.items())
    assert {column.name for column in LEDGER.columns if column.mode == "REQUIRED"} == {"event", "at"}


def test_revisions_read_each_others_hint_of_a_stream() -> None:
    """The begin of the last completed pass has its earlier name too, for a revision that knows only that."""
    began = datetime(2026, 11, 21, 14, 10, tzinfo=UTC)
    stored = json.loads(Published(published=3, pass_began=began).model_dump_json())
    assert stored["walked"] == stored["pass_began"]
    assert Published.model_validate_json(json.dumps(stored)).pass_began == began
    del stored["pass_began"]
    assert Published.model_validate_json(json.dumps(stored)).pass_began == began
