"""Old and new revisions side by side: messages and the ledger change by addition only."""

import json

import pytest
from pydantic import TypeAdapter

from shared.messages import IocPageLanded, Message, landing_event, minute_requested
from shared.warehouse.tables import LEDGER

ioc_page: TypeAdapter[IocPageLanded] = TypeAdapter(IocPageLanded)

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
FIRST_MESSAGES = [(minute_requested, REQUESTED), (landing_event, LANDED), (landing_event, ABSENT), (ioc_page, PAGE)]
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
def test_messages_of_the_first_release_are_read(kind: TypeAdapter[Message], body: dict[str, object]) -> None:
    """And what is written anew still has every field of theirs, so that the first release can read it."""
    message = kind.validate_python(body)
    assert set(body) <= set(json.loads(message.body()))


@pytest.mark.parametrize(("kind", "body"), FIRST_MESSAGES)
def test_a_field_that_is_not_known_is_ignored(kind: TypeAdapter[Message], body: dict[str, object]) -> None:
    """A newer revision may say more; the message means what it meant."""
    assert kind.validate_python({**body, "added_later": {"any": "thing"}}) == kind.validate_python(body)


def test_the_ledger_keeps_its_first_columns() -> None:
    """In their order, with their types; of those that come later none is required, for an old revision writes none."""
    now = {column.name: column.type for column in LEDGER.columns}
    assert list(now.items())[: len(FIRST_COLUMNS)] == list(FIRST_COLUMNS.items())
    assert {column.name for column in LEDGER.columns if column.mode == "REQUIRED"} == {"event", "at"}
