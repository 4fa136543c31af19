"""The soak's own comparison finds an update that is missing, whichever stream it belongs to."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from shared.streams.page_log import PageLog
from tests.soak.updates import CHANGING, items_of, not_logged
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket
from tests.support.pages import page_head

# Of one item each: an older version, a newer one, and both as the source's control has them.
VERSIONS: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "dtm_alerts": (
        {"id": "a", "updated_at": "2026-11-21T12:00:00.900Z"},
        {"id": "a", "updated_at": "2026-11-21T12:00:05.000Z"},
        "2026-11-21T12:00:00.900Z",
        "2026-11-21T12:00:05.000Z",
    ),
    "vulnerabilities": (
        {"id": "a", "attributes": {"last_modification_date": 999}},
        {"id": "a", "attributes": {"last_modification_date": 1000}},
        "000000000999",
        "000000001000",
    ),
    "asm_issues": (
        {"id": "a", "project_id": "7", "summary": {"status": "open_new"}},
        {"id": "a", "project_id": "7", "summary": {"status": "open_triaged"}},
        "00",
        "01",
    ),
}


def logged(stream: str, items: Sequence[dict[str, Any]]) -> MemoryBucket:
    """Return a bucket whose log of a stream has a page for each item."""
    bucket = MemoryBucket()
    for sequence, item in enumerate(items, 1):
        assert PageLog(bucket, stream).append(page_head(sequence, NOON, stream), [json.dumps(item).encode()])
    return bucket


@pytest.mark.parametrize("stream", CHANGING)
def test_the_newest_version_has_to_be_in_the_log(stream: str) -> None:
    """An item without it is named; one that has changed since the source was asked is not."""
    old, new, before, after = VERSIONS[stream]
    name, _ = CHANGING[stream].of(old)
    assert not_logged(logged(stream, []), stream, {name: before}) == [name]
    assert not_logged(logged(stream, [old]), stream, {name: after}) == [name]
    assert not_logged(logged(stream, [old]), stream, {name: before}) == []
    assert not_logged(logged(stream, [old, new]), stream, {name: before}) == []
    assert [*items_of(logged(stream, [old, new]), stream)] == [old, new]
