"""Read an answer with a list of objects without making Python values of all that is in it.

An ioc_stream page of 40 items has a megabyte, of which a poll needs an identifier and a date each. msgspec cuts the
items out as they are, less the white space; simdjson proves that all of it is JSON and finds what is looked for. What
either of them does not take is read again, slowly: that decides.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import msgspec
import simdjson

from shared.json_bytes import read_json, read_object, write_json
from shared.streams import JsonObject, look_up


@dataclass(frozen=True)
class SourceItem:
    """One object of a list: its compact JSON, and of its content at least what stands at the fields asked for."""

    text: bytes
    known: JsonObject


@dataclass(frozen=True)
class Listing:
    """What a list's answer holds; no cursor means that it was the last one."""

    items: tuple[SourceItem, ...]
    cursor: str | None


class _Meta(msgspec.Struct):
    cursor: str | None = None


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw]
    meta: _Meta | None = None


_DECODER = msgspec.json.Decoder(_Answer)
_thread = threading.local()


def read_listing(body: bytes, fields: tuple[str, ...]) -> Listing | None:
    """Return what an answer holds, or None when `data` is no list of objects; raise ValueError when it is no JSON.

    Fields are dotted paths.
    """
    return _quickly(body, fields) or _carefully(body)


def _quickly(body: bytes, fields: tuple[str, ...]) -> Listing | None:
    try:
        compact = msgspec.json.format(body, indent=-1)
        answer = _DECODER.decode(compact)
        # simdjson passes over a byte order mark, and goes one level deeper than orjson, which will read the page.
        document = cast("simdjson.Array", _parser().parse(b"[%b]" % compact))
        known = list(_known(_value(cast("simdjson.Object", document[0]), "data"), fields))
    except (ValueError, RuntimeError):
        # RuntimeError: an integer of more than 64 bits, or a parser whose last document is still looked at.
        return None
    items = map(SourceItem, map(bytes, answer.data), known)
    return Listing(tuple(items), (answer.meta and answer.meta.cursor) or None)


def _parser() -> simdjson.Parser:
    """Return this thread's parser: a new one asks for memory of its own, which takes longer than parsing a page."""
    parser: simdjson.Parser | None = getattr(_thread, "parser", None)
    if parser is None:
        parser = _thread.parser = simdjson.Parser()
    return parser


def _known(items: object, fields: tuple[str, ...]) -> Iterator[JsonObject]:
    if not isinstance(items, simdjson.Array):
        raise ValueError("no list")
    for item in items:
        if not isinstance(item, simdjson.Object):
            raise ValueError("no object")
        yield _part(item, [field.split(".") for field in fields])


def _part(item: simdjson.Object, paths: list[list[str]]) -> JsonObject:
    """Return those parts of an object that lie on the paths."""
    part: JsonObject = {}
    for name in dict.fromkeys(path[0] for path in paths):
        value = _value(item, name)
        deeper = [path[1:] for path in paths if path[0] == name]
        if isinstance(value, simdjson.Object) and all(deeper):
            part[name] = _part(value, deeper)
        else:
            part[name] = _plain(value)
    return part


def _value(item: simdjson.Object, name: str) -> object:
    """Return what an object has under a name, or None; raise ValueError when the name is there twice.

    simdjson finds the first of them, and whoever reads the page later keeps the last.
    """
    if list(item.keys()).count(name) > 1:
        raise ValueError("a name is there twice")
    return item.get(name)


def _plain(value: object) -> object:
    if isinstance(value, simdjson.Object):
        return value.as_dict()
    return value.as_list() if isinstance(value, simdjson.Array) else value


def _carefully(body: bytes) -> Listing | None:
    answer = read_json(body)
    items, cursor = look_up(answer, "data"), look_up(answer, "meta.cursor") or None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return None
    texts = map(write_json, items)
    # What is kept counts: a NaN, which is no JSON, is written as null.
    return Listing(tuple(SourceItem(text, read_object(text)) for text in texts), str(cursor) if cursor else None)
