"""Headline columns of every feed: real lines fill them, and no value makes a merge fail."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from infra.endpoints import Endpoints
from infra.local.virustotal.threat_lists.content import ListHour
from shared.feeds.definition import EVERY_KEY, ColumnType, Feed, Headline, find_feed, known_feeds
from tests.support import optional_tools
from tests.support.landed import Object, id_of
from tests.support.paths import SAMPLES
from tests.support.warehouse import Warehouse, provisioned, utc

MINUTE = utc(14, 10)
FEEDS = list(known_feeds().values())
TYPES: tuple[ColumnType, ...] = ("STRING", "INT64", "FLOAT64", "BOOL", "TIMESTAMP", "ARRAY<STRING>")
HOSTILE: list[object] = [
    *(None, True, 10**30, -(10**15), 1e300, -0.5, "text", "2026", "\u0000", "'; --", '"rank":1}', "", [], {}),
    *([None, {}, [1], "t"], {"a": []}, {'x,"rank': 1}, {"p": {"rank": "7"}}, {"p": {"rank": 10**30}}),
]


@pytest.fixture(scope="module")
def shared_warehouse(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return a dataset of this module's own: its tests make the tables of other feeds."""
    with provisioned(emulators) as warehouse:
        yield warehouse


def filled(warehouse: Warehouse, feed: Feed, lines: list[Object]) -> list[tuple[Any, ...]]:
    """Load lines into staging, merge them, and return the headline of every observation in their order."""
    of_feed = replace(warehouse, feed=feed)
    of_feed.provision()
    assert of_feed.load(of_feed.land(MINUTE, *lines)).state == "done"
    assert of_feed.merge().lines == len(lines)
    names = ", ".join(column.name for column in feed.headline)
    assert len(of_feed.read(f"{feed.name}_current", f"id, {names}")) == len({id_of(feed, line) for line in lines})
    minute = "TIMESTAMP '2026-11-21 14:10:00 UTC'"
    return [row[1:] for row in of_feed.read(f"{feed.name}_between({minute}, {minute})", f"feed_line, {names}")]


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_real_lines_fill_their_columns(warehouse: Warehouse, feed: Feed) -> None:
    """Each headline column holds the value that the line has at its path."""
    file = SAMPLES / "feeds" / f"{feed.object_type}.ndjson"
    if not file.exists():
        pytest.skip(optional_tools.SAMPLES.reason)
    lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    assert filled(warehouse, feed, lines) == [
        tuple(expected(line, column) for column in feed.headline) for line in lines
    ]


def test_elements_of_threat_lists_fill_their_columns(warehouse: Warehouse) -> None:
    """Of every type, on a real answer too: names of families come out of the objects that have them."""
    hour = utc(13, 0)
    elements = [{"data": one} for one in ListHour("1", "malware", hour, 8).elements(hour)]
    for file in sorted((SAMPLES / "gti").glob("threat_list_[cf]*.json")):
        elements += orjson.loads(file.read_bytes())["iocs"]
    lines: list[Object] = [
        {"id": f"{number}", "threat_list": "malware", **element} for number, element in enumerate(elements)
    ]
    feed = find_feed("threat_lists")
    rows = filled(warehouse, feed, lines)
    assert rows == [tuple(expected(line, column) for column in feed.headline) for line in lines]
    families = [column.name for column in feed.headline].index("malware_families")
    assert ["family-0"] in [row[families] for row in rows]


def expected(line: Object, column: Headline) -> object:
    """Return a column's expected value, computed from the line in Python."""
    found = list(values_at(line, column.path.split(".")))
    if EVERY_KEY in column.path:
        return min(found, default=None)
    value = found[0] if found else None
    if column.as_text:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    if column.type == "TIMESTAMP" and isinstance(value, int):
        return datetime.fromtimestamp(value, UTC)
    return value or [] if column.type == "ARRAY<STRING>" else value


def values_at(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield the values at a path."""
    if not path:
        yield value
    elif isinstance(value, dict):
        for key in value if path[0] == "*" else {path[0].removesuffix("[]")} & value.keys():
            yield from of_elements(value[key], path[1:]) if path[0].endswith("[]") else values_at(value[key], path[1:])


def of_elements(value: Any, path: list[str]) -> Iterator[list[Any]]:
    """Yield the list of what the elements of a list have at a path."""
    if isinstance(value, list):
        yield [found for element in value for found in values_at(element, path)]


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_no_value_makes_a_merge_fail(warehouse: Warehouse, feed: Feed) -> None:
    """A value of any type at a headline path, or at an object on the way to it, does not make the merge fail."""
    lines: list[Object] = [
        {"id": f"{number} {cut}", **nested(feed, cut, value)}
        for number, value in enumerate(HOSTILE)
        for cut in (0, 1, 2)
    ]
    assert len(filled(warehouse, feed, lines)) == len(lines)


def nested(feed: Feed, cut: int, value: object) -> dict[str, Any]:
    """Return an object with a value at every headline path, or at the object a number of steps above it."""
    made: dict[str, Any] = {}
    for column in feed.headline:
        *way, last = (path := column.path.replace("*", "p").replace("[]", "").split("."))[: max(1, len(path) - cut)]
        inner = made
        for step in way:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                break
        else:
            inner.setdefault(last, deepcopy(value))
    return made


def every_type() -> Feed:
    """Return a feed with a column of every type, and one that takes the smallest of several values."""
    columns = [
        Headline(name=f"c{number}", type=kind, path="flag" if kind == "BOOL" else "v", description="x")
        for number, kind in enumerate(TYPES)
    ]
    least = Headline(name="least", type="INT64", path="v.*.rank", description="x")
    return FEEDS[0].model_copy(update={"name": "types", "version": ("c4",), "headline": (*columns, least)})


NOTHING: tuple[object, ...] = (None, None, None, None, None, [])
FITS: list[tuple[object, tuple[object, ...]]] = [
    (None, (*NOTHING, None)),
    ({}, (*NOTHING, None)),
    ([1, "a", None, {}, [2], "b"], (*NOTHING[:5], ["1", "a", "b"], None)),
    ("text", ("text", None, None, None, None, [], None)),
    (5, ("5", 5, 5.0, None, datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC), [], None)),
    ({"p": {"rank": 9}, "q": {"at": 1, "rank": 3}, "r": {"rank": None}, "s": {"rank": "1"}}, (*NOTHING, 3)),
    ({"p": {"rank": 10**30}, 'x,"rank': 1, "y": ['{"rank":2}'], "z": {"rank": 4.5}}, (*NOTHING, None)),
]


def test_what_does_not_fit_its_type_is_empty(warehouse: Warehouse) -> None:
    """JSON null becomes NULL or is left out of an array; text that looks like a key is not read as one."""
    lines: list[Object] = [{"id": f"id-{number}", "v": value} for number, (value, _) in enumerate(FITS)]
    assert filled(warehouse, every_type(), lines) == [row for _, row in FITS]


def test_a_flag_is_true_false_or_empty(warehouse: Warehouse) -> None:
    """A flag that is neither true nor false becomes NULL."""
    values = [True, False, "text", None, [], {}]
    lines: list[Object] = [{"id": f"id-{number}", "flag": value} for number, value in enumerate(values)]
    assert [row[3] for row in filled(warehouse, every_type(), lines)] == [True, False, None, None, None, None]


@pytest.mark.parametrize("second", [10**30, 10**12, -(10**15), 1e300])
def test_a_date_that_no_calendar_has_is_empty(warehouse: Warehouse, second: float) -> None:
    """A timestamp outside the years 1 to 9999, on which TIMESTAMP_SECONDS fails, becomes NULL."""
    [row] = filled(warehouse, every_type(), [{"id": "a", "v": second}])
    assert row[4] is None
