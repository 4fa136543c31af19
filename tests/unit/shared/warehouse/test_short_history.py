"""History must keep rows at least as long as the bucket keeps landed minutes."""

from typing import Any

import pytest

from shared.contracts.outcomes import Misconfigured
from shared.warehouse.provision import refuse_short_history

ARCHIVED = {"action": {"type": "SetStorageClass", "storageClass": "NEARLINE"}, "condition": {"age": 90}}


def deleted(days: int) -> dict[str, Any]:
    """Return a lifecycle rule in Cloud Storage's format."""
    return {"action": {"type": "Delete"}, "condition": {"age": days, "matchesPrefix": ["domains/"]}}


@pytest.mark.parametrize(
    ("rules", "days"),
    [([deleted(30), ARCHIVED], 30), ([deleted(30)], None), ([ARCHIVED], 8), ([], 8)],
)
def test_a_history_that_outlives_the_bucket_is_taken(rules: list[dict[str, Any]], days: int | None) -> None:
    """Any expiry is allowed if the bucket deletes nothing: then a replay of expired minutes is refused."""
    refuse_short_history("landing", rules, days)


def test_a_history_that_expires_before_the_bucket_does_is_refused() -> None:
    """The error has both numbers and the remedy."""
    with pytest.raises(Misconfigured, match=r"HISTORY_EXPIRY_DAYS is 29, and bucket landing keeps .* for 30 days"):
        refuse_short_history("landing", [ARCHIVED, deleted(9), deleted(30)], 29)
