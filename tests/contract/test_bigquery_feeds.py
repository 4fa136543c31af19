"""Headline columns of every feed: real lines fill them, and no value can make a merge fail."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.feeds.definition import EVERY_KEY, ColumnType, Feed, Headline, known_feeds
from tests.landed import Object
from tests.warehouse import Warehouse, utc

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "feeds"
MINUTE = utc(14, 10)
FEEDS = list(known_feeds().values())
TYPES: tuple[ColumnType, ...] = ("STRING", "INT64", "FLOAT64", "BOOL", "TIMESTAMP", "ARRAY<STRING>")
HOSTILE: list[object] = [
    *(None, True, 10**30, -(10**15), 1e300, -0.5, "text", "2026", "\u0000", "'; --", '"rank":1}', "", [], {}),
    *([None, {}, [1], "t"], {"a": []}, {'x,"rank': 1}, {"p": {"rank": "7"}}, {"p": {"rank": 10**30}}),
]


def filled(warehouse: Warehouse, feed: Feed, lines: list[Object]) -> list[tuple[Any, ...]]:
    """Take lines through staging and a merge, and return the headline of every observation, in their order."""
    own = replace(warehouse, feed=feed)
    own.provision()
    assert own.load(own.land(MINUTE, *lines)).state == "done"
    assert own.merge().lines == len(lines)
    names = ", ".join(column.name for column in feed.headline)
    assert len(own.read(f"{feed.name}_current", f"id, {names}")) == len({line["id"] for line in lines})
    minute = "TIMESTAMP '2026-11-21 14:10:00 UTC'"
    return [row[1:] for row in own.read(f"{feed.name}_between({minute}, {minute})", f"feed_line, {names}")]


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_real_lines_fill_their_columns(warehouse: Warehouse, feed: Feed) -> None:
    """Every headline path that a real line has comes out as the value that stands there."""
    file = SAMPLES / f"{feed.object_type}.ndjson"
    if not file.exists():
        pytest.skip("the real samples are not on this machine")
    lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    assert filled(warehouse, feed, lines) == [
        tuple(expected(line, column) for column in feed.headline) for line in lines
    ]


def expected(line: Object, column: Headline) -> object:
    """Return a column's value by walking a line in Python."""
    found = list(walk(line, column.path.split(".")))
    if EVERY_KEY in column.path:
        return min(found, default=None)
    value = found[0] if found else None
    if column.type == "TIMESTAMP" and isinstance(value, int):
        return datetime.fromtimestamp(value, UTC)
    return value or [] if column.type == "ARRAY<STRING>" else value


def walk(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield what stands at a path."""
    if not path:
        yield value
    elif isinstance(value, dict):
        for key in value if path[0] == "*" else {path[0]} & value.keys():
            yield from walk(value[key], path[1:])


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_no_value_makes_a_merge_fail(warehouse: Warehouse, feed: Feed) -> None:
    """At every headline path, and at every object on the way to it."""
    lines: list[Object] = [
        {"id": f"{number} {cut}", **nested(feed, cut, value)}
        for number, value in enumerate(HOSTILE)
        for cut in (0, 1, 2)
    ]
    assert len(filled(warehouse, feed, lines)) == len(lines)


def nested(feed: Feed, cut: int, value: object) -> dict[str, Any]:
    """Return an object with a value at every headline path, or so many steps before its end."""
    made: dict[str, Any] = {}
    for column in feed.headline:
        *way, last = (path := column.path.replace("*", "p").split("."))[: max(1, len(path) - cut)]
        inner = made
        for step in way:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                break
        else:
            inner.setdefault(last, deepcopy(value))
    return made


def every_type() -> Feed:
    """Return a feed with a column of every type, and one that takes the least of many."""
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
    """NULL, or an array without it; and a text that looks like a key is no key."""
    lines: list[Object] = [{"id": f"id-{number}", "v": value} for number, (value, _) in enumerate(FITS)]
    assert filled(warehouse, every_type(), lines) == [row for _, row in FITS]


def test_a_flag_is_true_false_or_empty(warehouse: Warehouse) -> None:
    """What is neither is NULL."""
    values = [True, False, "text", None, [], {}]
    lines: list[Object] = [{"id": f"id-{number}", "flag": value} for number, value in enumerate(values)]
    assert [row[3] for row in filled(warehouse, every_type(), lines)] == [True, False, None, None, None, None]


@pytest.mark.parametrize("second", [10**30, 10**12, -(10**15), 1e300])
def test_a_date_that_no_calendar_has_is_empty(warehouse: Warehouse, second: float) -> None:
    """TIMESTAMP_SECONDS fails outside the years 1 to 9999."""
    [row] = filled(warehouse, every_type(), [{"id": "a", "v": second}])
    assert row[4] is None
