"""Parse a response with a list of objects: each object as compact JSON, plus the requested fields.

An ioc_stream page of 40 items has a megabyte, of which a poll needs only identifiers and dates. All of it is validated,
and only the requested fields become Python values; items that the fast way refuses are parsed in full.
"""

from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import msgspec

from shared.contracts.outcomes import TransientError
from shared.runtime.json_bytes import TooDeepError, close_up, cut_list, is_text, not_json, read_object
from shared.streams.definition import JsonObject, look_up


@dataclass(frozen=True)
class SourceItem:
    """One object of a list: its compact JSON, and at least the requested fields as Python values.

    An object that is nested too deeply keeps its bytes, and has no known fields.
    """

    text: bytes
    known: JsonObject


@dataclass(frozen=True)
class Listing:
    """A parsed page of a list; without a cursor it is the last page.

    answered is the response's Date, if it has one: the source's time, in whole seconds.
    """

    items: tuple[SourceItem, ...]
    cursor: str | None
    answered: datetime | None = None


@contextmanager
def valid_json(what: str) -> Iterator[None]:
    """Raise TransientError for a response that the block finds not to be valid JSON (ValueError)."""
    try:
        yield
    except ValueError as error:
        raise TransientError(not_json(f"{what}: the response", error)) from None


def read_listing(body: bytes, fields: tuple[str, ...]) -> Listing | None:
    """Parse a response; None if `data` is not a list of objects; raise ValueError if it is not valid JSON.

    Fields are dotted paths.
    """
    answer, items = read_items(body, "data", fields)
    return None if items is None else Listing(items, continuation(look_up(answer, "meta.cursor")))


def continuation(value: object) -> str | None:
    """Return the cursor or token of a response, or None; raise ValueError if no request can contain it.

    A JSON string may hold half of a surrogate pair, which cannot be encoded.
    """
    text = str(value) if value else None
    if text:
        text.encode()
    return text


def read_items(body: bytes, name: str, fields: tuple[str, ...]) -> tuple[object, tuple[SourceItem, ...] | None]:
    """Return a response without one of its lists, and the objects of that list (None if it is none).

    Otherwise as above.
    """
    compact = close_up(body)
    answer, texts = cut_list(compact, name)
    if texts is None or not all(text.startswith(b"{") for text in texts):
        return answer, None
    # Re-encoded JSON is valid throughout, except for bytes that are not text.
    read = read_sound_item if compact is not body and is_text(body) else read_item
    return answer, tuple(read(text, fields) for text in texts)


def read_item(text: bytes, fields: tuple[str, ...]) -> SourceItem:
    """Return an object with the requested fields; raise ValueError if it is not valid JSON."""
    return SourceItem(text, _part(text, {path.partition(".")[0] for path in fields}))


def read_sound_item(text: bytes, fields: tuple[str, ...]) -> SourceItem:
    """Return an object that is known to be valid JSON, with the requested fields."""
    try:
        known = msgspec.to_builtins(_decoder(fields).decode(text))
    except (msgspec.MsgspecError, RecursionError):
        # For example, the path needs an object where the item has another value.
        return read_item(text, fields)
    return SourceItem(text, known)


@cache
def _decoder(fields: tuple[str, ...]) -> "msgspec.json.Decoder[msgspec.Struct]":
    return msgspec.json.Decoder(_struct(path.split(".") for path in fields))


def _struct(paths: Iterable[list[str]]) -> type[msgspec.Struct]:
    """Return a type with the values at these paths; it skips everything else."""
    below: dict[str, list[list[str]]] = {}
    for first, *rest in paths:
        below.setdefault(first, []).append(rest)
    fields: list[tuple[str, type, object]] = []
    for name, deeper in below.items():
        # Names in a JSON object need not be Python identifiers.
        found = msgspec.field(default=msgspec.UNSET, name=name)
        fields.append((f"field{len(fields)}", _struct(deeper) if all(deeper) else object, found))
    return msgspec.defstruct("Known", fields)


def _part(text: bytes, names: Set[str]) -> JsonObject:
    try:
        item = read_object(text)
    except TooDeepError:
        # The other items must still be read; the user of this item reports the error.
        return {}
    return {name: item[name] for name in names & item.keys()}
