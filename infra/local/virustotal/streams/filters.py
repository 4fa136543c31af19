"""The filter grammar: terms `name:value` separated by spaces; dates end with a plus (from) or a minus (until)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.local.virustotal.streams.collections import COLLECTION_TYPES
from infra.local.virustotal.streams.items import ENTITY_TYPES, ORIGINS, SOURCE_TYPES, Notification

_RELATIVE = re.compile(r"(\d+)([mhd])", re.ASCII)
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_EVER = 2**62

_VALID = {
    "origin": ORIGINS,
    "entity_type": ENTITY_TYPES,
    "source_type": SOURCE_TYPES,
    "collection_type": COLLECTION_TYPES,
}


class BadFilterError(ValueError):
    """The filter is refused; the text is the API's."""


@dataclass(frozen=True)
class Filter:
    """A parsed filter: the bounds of the date, and the other terms."""

    begin: int
    end: int
    terms: tuple[tuple[str, str], ...]

    def fits(self, one: Notification) -> bool:
        """Return whether a notification matches all terms."""
        return all(_LOOK[name](one, value) for name, value in self.terms)


_LOOK: Mapping[str, Callable[[Notification, str], bool]] = {
    "origin": lambda one, value: one.origin == value,
    "entity_type": lambda one, value: one.entity_type == value,
    "entity_id": lambda one, value: f'"id": "{value}"'.encode() in one.entity(),
    "source_type": lambda one, value: any(source["type"] == value for source in one.sources()),
    "source_id": lambda one, value: any(source["id"] == value for source in one.sources()),
    "notification_tag": lambda one, value: value in one.tags(),
}
NOTIFICATION_TERMS = frozenset(_LOOK)
COLLECTION_TERMS = frozenset({"collection_type"})


def read_filter(text: str, *, date_term: str, terms: frozenset[str], now: int) -> Filter:
    """Read a filter; raise BadFilterError with the API's text."""
    begin, end, others = 0, _EVER, []
    for term in text.split():
        name, colon, value = term.partition(":")
        if not colon or not value or name not in {date_term, *terms}:
            raise BadFilterError(f'filter "{term}" is not valid')
        if name != date_term:
            others.append((name, _checked(name, value)))
        elif value.endswith("+"):
            begin = max(begin, _moment(value[:-1], now))
        elif value.endswith("-"):
            end = min(end, _moment(value[:-1], now))
        else:
            raise BadFilterError(f'date "{value}" is not valid. End it with + or -')
    return Filter(begin, end, tuple(others))


def _checked(name: str, value: str) -> str:
    valid = _VALID.get(name)
    if valid and value not in valid:
        # The text for origin is the documented one; the others follow it.
        raise BadFilterError(f'{name} "{value}" is not valid. Valid {name}s are: {",".join(valid)}')
    return value


def _moment(text: str, now: int) -> int:
    if relative := _RELATIVE.fullmatch(text):
        return now - int(relative.group(1)) * _SECONDS[relative.group(2)]
    if text.isdecimal():
        return int(text)
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise BadFilterError(f'date "{text}" is not valid') from None
