"""JSON is cut and put together without any change to values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.json_bytes import cut_list, write_list

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=3), _VALUES, max_size=4), _VALUES)
def test_an_object_is_cut_into_its_list_and_the_rest(rest: dict[str, object], found: object) -> None:
    """Other members keep their values, whatever they are; a named member that is not a list stays too."""
    content = {**rest, "items": found}
    others, items = cut_list(json.dumps(content).encode(), "items")
    if isinstance(found, list):
        assert others == {name: value for name, value in rest.items() if name != "items"}
        assert items is not None
        assert list(map(json.loads, items)) == found
    else:
        assert (others, items) == (content, None)


def test_items_keep_their_bytes() -> None:
    """Escapes, duplicate names and digits of an item stay as they were written."""
    item = rb'{"a":"\u00e9","a":1.50,"n":123456789012345678901234567890}'
    assert cut_list(b'{"items":[%b],"meta":{"cursor":"c"}}' % item, "items") == ({"meta": {"cursor": "c"}}, (item,))


@pytest.mark.parametrize(
    "data", [b'{"items":[1,]}', b'{"items":[1]', b'{"items":[1],"m":tru}', b'{"items":[1],"m":[01]}']
)
def test_bytes_that_are_not_json_are_refused(data: bytes) -> None:
    """ValueError, also if the invalid part is not in the list."""
    with pytest.raises(ValueError, match=r"line 1"):
        cut_list(data, "items")


@given(st.lists(_VALUES, max_size=4))
def test_a_list_is_put_together(values: list[object]) -> None:
    """Any number of items, none and one included, between the two parts."""
    written = write_list(b'{"items":[', (json.dumps(value).encode() for value in values), b"]}")
    assert json.loads(written) == {"items": values}
