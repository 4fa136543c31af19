"""An item's key is that of its stream, or else a fingerprint of its content."""

from services.secops_forwarder.poll.item_keys import new_item
from shared.virustotal.listing import SourceItem, read_item
from tests.support.doubles import NOON
from tests.support.streams import STREAM, as_given, id_of, notification


def test_the_key_is_that_of_the_stream() -> None:
    """The date and the cursor of the source page come with it."""
    item = notification(1, NOON)
    new = new_item(STREAM, as_given(item), "cursor")
    assert (new.key, new.date, new.cursor) == (id_of(item), NOON, "cursor")


def test_an_item_without_a_key_is_known_by_its_content() -> None:
    """The order of fields does not matter, their values do."""
    texts = [b'{"a":1,"b":2}', b'{"b":2,"a":1}', b'{"a":1,"b":3}']
    first, same, other = [new_item(STREAM, read_item(text, STREAM.fields), None).key for text in texts]
    assert first == same != other


def test_an_unreadable_item_is_known_by_its_bytes() -> None:
    """It has no known fields."""
    first, other = [new_item(STREAM, SourceItem(text, {}), None).key for text in (b"{", b"{{")]
    assert first.startswith("sha256 ")
    assert first != other
