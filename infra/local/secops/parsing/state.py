"""The variables of a parser while it runs: objects in objects, addressed by dotted paths."""

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

MISSING = object()
Null = Literal["missing", "unusable", "text", "empty"]

_TEMPLATE = re.compile(r"%\{([^}]+)\}")


class FilterError(Exception):
    """A filter could not do its work; on_error catches it."""


@dataclass(frozen=True)
class Dialect:
    """How this reads what Google's pages leave open; the defaults are what asks most of a parser.

    null: what a JSON null becomes: nothing at all, a value that no filter takes, the text "null", or an empty text.
    numbers_as_text: whether a template takes a number. texts_to_text: whether converting a text to a text is an error.
    shared_merges: whether what was merged changes with the variable that it came from.
    """

    null: Null = "unusable"
    numbers_as_text: bool = False
    texts_to_text: bool = False
    shared_merges: bool = False


class State:
    """Variables by dotted path."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.values: dict[str, object] = {}

    def find(self, path: str) -> object:
        """Return the value at a path, or MISSING."""
        value: object = self.values
        for name in path.split("."):
            value = _step(value, name)
            if value is MISSING:
                return MISSING
        return value

    def get(self, path: str) -> object:
        """Return the value at a path; raise FilterError where there is none."""
        value = self.find(path)
        if value is MISSING:
            raise FilterError(f'source field "{path}": field not set')
        return value

    def set(self, path: str, value: object) -> None:
        """Set the value at a path; an empty text on the way becomes an object, as parsers initialise objects."""
        *way, last = path.split(".")
        place = self.values
        for name in way:
            inner = place.get(name, "")
            if inner == "":
                inner = place[name] = {}
            if not isinstance(inner, dict):
                raise FilterError(f'field "{path}": {name} is not an object')
            place = inner
        place[last] = value

    def remove(self, path: str) -> None:
        """Remove the value at a path, which exists."""
        way, _, last = path.rpartition(".")
        place = self.find(way) if way else self.values
        if isinstance(place, dict):
            place.pop(last, None)

    def fill(self, template: str) -> str:
        """Return a template with the values of its fields; raise FilterError if one is not text."""
        return _TEMPLATE.sub(lambda found: self._text(found[1]), template)

    def load(self, item: dict[str, object]) -> None:
        """Add an object, key by key into what exists."""
        _add(self.values, {name: self._read(value) for name, value in item.items()})

    def _text(self, path: str) -> str:
        value = self.get(path)
        if isinstance(value, str):
            return value
        if self.dialect.numbers_as_text and isinstance(value, int | float) and not isinstance(value, bool):
            return number_text(value)
        raise FilterError(f'source field "{path}": not a string')

    def _read(self, value: object) -> object:
        if value is None:
            return {"missing": MISSING, "unusable": None, "text": "null", "empty": ""}[self.dialect.null]
        if isinstance(value, dict):
            return {name: self._read(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [read for inner in value if (read := self._read(inner)) is not MISSING]
        return value


def number_text(value: float) -> str:
    """Return a number as text, a whole one without a fraction."""
    return str(int(value)) if float(value).is_integer() else repr(value)


def copied(value: object) -> object:
    """Return a copy that shares nothing."""
    return deepcopy(value)


def _add(place: dict[str, object], item: dict[str, object]) -> None:
    for name, value in item.items():
        if value is MISSING:
            continue
        if isinstance(value, dict):
            inner = place.get(name)
            inner = place[name] = inner if isinstance(inner, dict) else {}
            _add(inner, value)
        else:
            place[name] = value


def _step(value: object, name: str) -> object:
    if isinstance(value, dict):
        return value.get(name, MISSING)
    if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
        return value[int(name)]
    return MISSING
