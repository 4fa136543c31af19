"""Real items have the fields named by the declared streams."""

import json

import pytest

from shared.streams.definition import find_stream
from tests.support import optional_tools
from tests.support.paths import SAMPLES


def test_real_vulnerabilities_have_their_key_version_and_date() -> None:
    """Two items of /collections."""
    file = SAMPLES / "gti/vulnerability_collections_2.ndjson"
    if not file.is_file():
        pytest.skip(optional_tools.SAMPLES.reason)
    stream = find_stream("vulnerabilities")
    items = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len({stream.key_of(item) for item in items} - {None}) == len(items) == 2
    assert all(stream.date_of(item) for item in items)
