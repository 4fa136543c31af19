"""What is kept of a handled dead letter: named after its id, which anybody may have chosen."""

import pytest

from services.console.handled import handled_name


def test_a_plain_id_is_the_objects_name() -> None:
    """As Pub/Sub numbers messages."""
    assert handled_name("feed-minutes", "17251234") == "dead/feed-minutes-dead/17251234.json"


@pytest.mark.parametrize(
    "letter", ["../../state/planner/domains", "a/b", "", ".", "..", "x" * 2000, "ä", "-rf", "a\nb"]
)
def test_an_id_leads_nowhere_else(letter: str) -> None:
    """Whatever an id holds, its object lies in the folder of its topic, under a name that any file system takes."""
    folder, _, name = handled_name("feed-minutes", letter).rpartition("/")
    assert folder == "dead/feed-minutes-dead"
    assert name.startswith("sha256-")
    assert len(name) < 100
    assert handled_name("feed-minutes", letter) != handled_name("feed-minutes", f"{letter}x")
