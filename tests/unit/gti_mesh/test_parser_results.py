"""The records of a parser run are compared with what is expected, in whatever way the API writes them."""

import pytest

from gti_mesh.parser_results import differences, summary

EXPECTED: list[dict[str, object]] = [{"event": {"size": 5, "risk_score": 0.0, "list": [{"event_type": "x"}]}}]


@pytest.mark.parametrize(
    "event",
    [
        {"size": 5, "risk_score": 0.0, "list": [{"event_type": "x"}]},
        {"size": "5", "list": [{"eventType": "x", "more": 1}], "id": "abc"},
    ],
)
def test_the_same_in_another_writing_is_no_difference(event: dict[str, object]) -> None:
    """Names, numbers as texts, zeros that are left out, and fields besides."""
    assert list(differences(EXPECTED, [{"event": event}])) == []


def test_each_difference_is_named() -> None:
    """A value that is another, and one that is missing."""
    found = list(differences(EXPECTED, [{"event": {"size": "6", "riskScore": 2.5, "list": []}}]))
    assert found == [
        "0.event.size is '6', not 5",
        "0.event.risk_score is 2.5, not 0.0",
        "0.event.list.0.event_type is '', not 'x'",
    ]
    assert list(differences(EXPECTED, [])) == ["0 records, not 1"]


def test_records_are_told_by_their_type() -> None:
    """Events and entities."""
    records: list[object] = [{"event": {"metadata": {"eventType": "A"}}}, {"entity": {"metadata": {"entityType": "B"}}}]
    assert summary(records) == "event A, entity B"
