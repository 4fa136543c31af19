"""`gti-mesh secops verify` and what it cannot verify."""

from datetime import timedelta

import pytest

from gti_mesh.verify import verify_stream
from shared.contracts.minutes import parse_minute
from shared.contracts.outcomes import Misconfigured

BEGIN = parse_minute("2026-11-21T14:00Z")


def test_a_feed_cannot_be_verified() -> None:
    """The error says why, and which command compares its hours; neither a bucket nor a tenant is needed."""
    with pytest.raises(Misconfigured, match=r"threat_lists cannot be verified: .* `gti-mesh audit` compares"):
        verify_stream("threat_lists", BEGIN, BEGIN + timedelta(hours=1), folder=None, state=None, say=print)
