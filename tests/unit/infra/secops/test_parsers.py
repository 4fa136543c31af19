"""Each SecOps parser gives the records that stand beside its sample pages, whatever an item lacks."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.secops.parsing.interpreter import Dropped
from tests.support.parser_samples import DIALECTS, PARSERS, Item, OwnParser, expected_of, items_of

Steps = list[str | int]

# Without one of these a log is no item of the stream, or gives no entity, and is dropped.
NEEDED: dict[str, list[Steps]] = {
    "ioc_stream": [["id"], ["type"], ["attributes"], ["attributes", "url"]],
    "dtm_alerts": [["id"]],
    "asm_issues": [["id"]],
    "threat_lists": [
        ["threat_list"],
        ["data"],
        ["data", "id"],
        ["data", "type"],
        ["data", "attributes"],
        ["data", "attributes", "url"],
        ["data", "attributes", "last_modification_date"],
    ],
}
NOTHINGS: list[object] = [None, "", [], {}, "absent"]


@pytest.mark.parametrize(
    ("parser", "page"),
    [pytest.param(parser, page, id=f"{parser.stream}/{page.stem}") for parser in PARSERS for page in parser.pages],
)
def test_a_sample_page_gives_the_records_beside_it(parser: OwnParser, page: Path) -> None:
    """Verbatim and cleaned, and however the language reads what Google's pages leave open."""
    for item, expected in zip(items_of(page), expected_of(page), strict=True):
        assert parser.same_in_every_reading(item) == expected
        assert parser.valid(json.dumps(item))


@settings(deadline=None)
@given(
    st.sampled_from([(parser, item) for parser in PARSERS for item in parser.items]),
    st.lists(st.integers(0, 40), min_size=1, max_size=6),
    st.data(),
)
def test_anything_may_be_missing(of: tuple[OwnParser, Item], steps: list[int], data: st.DataObject) -> None:
    """Nulls, empty texts and lists, and missing paths at any place: the parser never fails, and UDM is kept to."""
    parser, item = of
    changed = without(item, steps, data.draw(st.sampled_from(NOTHINGS)))
    try:
        assert parser.valid(json.dumps(changed), data.draw(st.sampled_from(DIALECTS)))
    except Dropped:
        assert steps_to(item, steps) in NEEDED[parser.stream]


def steps_to(item: Item, steps: list[int]) -> Steps:
    """Return the path to one of the values of an item: at each level the step's, around again after the last."""
    path: Steps = []
    place: object = item
    for step in steps:
        keys: Steps = sorted(place) if isinstance(place, dict) else list(range(len(place)))  # type: ignore[arg-type]
        path.append(keys[step % len(keys)])
        place = place[path[-1]]  # type: ignore[index]
        if not isinstance(place, dict | list) or not place:
            break
    return path


def without(item: Item, steps: list[int], nothing: object) -> Item:
    """Return an item with nothing in a value's place, or without it."""
    *way, last = steps_to(item, steps)
    changed = deepcopy(item)
    place: object = changed
    for key in way:
        place = place[key]  # type: ignore[index]
    if nothing == "absent":
        del place[last]  # type: ignore[attr-defined]
    else:
        place[last] = nothing  # type: ignore[index]
    return changed
