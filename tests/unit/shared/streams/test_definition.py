"""A stream's key: its fields, and the digest of a version that no field identifies."""

import pytest

from shared.streams.definition import JsonObject, find_stream
from tests.support.streams import changed

ISSUES = find_stream("asm_issues")
HIT: JsonObject = {
    "project_id": "1",
    "id": "a",
    "last_seen": "2026-11-21T12:00:00Z",
    "summary": {"status": "open_new", "n": None},
}


def test_a_digest_is_of_everything_but_what_makes_no_version() -> None:
    """The order of fields makes none either."""
    key = ISSUES.key_of(HIT)
    assert key
    assert key.startswith("a 1 ")
    assert ISSUES.key_of({**dict(reversed(HIT.items())), "last_seen": "2026-11-22T12:00:00Z"}) == key
    assert ISSUES.key_of({**HIT, "summary": {"status": "closed", "n": None}}) != key
    assert ISSUES.key_of({**HIT, "tags": []}) != key
    assert ISSUES.key_of({"id": "a"}) is None


def test_a_key_is_the_same_once_it_is_stored() -> None:
    """Also with half of a surrogate pair, which a text in UTF-8 cannot have."""
    key = find_stream("dtm_alerts").key_of({"id": "\ud800", "updated_at": "2026-11-21T12:00:00Z"})
    assert key == "\\ud800 2026-11-21T12:00:00Z"
    assert key.encode().decode() == key


def test_a_version_without_a_date_happened_when_it_was_found() -> None:
    """The date of the last scan says nothing about triage."""
    assert ISSUES.date_of(HIT)
    assert ISSUES.happened(HIT) is None
    dated: JsonObject = {"context_attributes": {"notification_date": 1_700_000_000}}
    assert find_stream("ioc_stream").happened(dated) == find_stream("ioc_stream").date_of(dated)


@pytest.mark.parametrize(
    "fields", [{"unversioned": []}, {"version": ["summary"]}, {"order": "last_seen+"}, {"page_size": 1001}]
)
def test_a_list_in_windows_has_digests(fields: dict[str, object]) -> None:
    """Another definition of it is refused."""
    with pytest.raises(ValueError, match=r"unversioned|read by its date alone|less than or equal to 1000"):
        changed(ISSUES, **fields)


def test_other_lists_have_none() -> None:
    """Their versions are dated."""
    with pytest.raises(ValueError, match="others have none"):
        changed(find_stream("dtm_alerts"), unversioned=["updated_at"], version=[])
