"""What the filters do to the variables of a parser."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from infra.local.secops.parsing.state import MISSING, FilterError, State, copied, number_text
from infra.local.secops.parsing.syntax import Filter, Option

TIMESTAMP, OUTPUT = "@timestamp", "@output"

_UNIX = re.compile(r"-?\d+")
# A group of the replacement, as RE2 writes it.
_GROUP = re.compile(r"\$(\d)")


class Dropped(Exception):
    """The log was dropped; the tag says why."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def run_filter(state: State, statement: Filter) -> None:
    """Run one filter; raise FilterError, or Dropped."""
    _FILTERS[statement.name](state, statement)


def _json(state: State, statement: Filter) -> None:
    try:
        item = json.loads(str(state.get(statement.text("source"))))
    except ValueError as error:
        raise FilterError(f"json: {error}") from None
    if not isinstance(item, dict):
        raise FilterError("json: not an object")
    state.load(item)


def _drop(_: State, statement: Filter) -> None:
    raise Dropped(statement.text("tag"))


def _date(state: State, statement: Filter) -> None:
    match = statement.option("match")
    field, *formats = match.items if match else ("",)
    text = state.get(field)
    if not isinstance(text, str):
        raise FilterError(f'date: "{field}" is not a string')
    moment = next(filter(None, (_moment(text, form) for form in formats)), None)
    if moment is None:
        raise FilterError(f"date: {text!r} has none of the formats {formats}")
    state.set(statement.text("target") or TIMESTAMP, moment)


def _moment(text: str, form: str) -> datetime | None:
    try:
        return _FORMATS[form](text) if form in _FORMATS else None
    except (ValueError, OverflowError, OSError):
        return None


def _unix(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if _UNIX.fullmatch(text) else None


def _date_time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def _iso(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_FORMATS: dict[str, Callable[[str], datetime | None]] = {
    "UNIX": _unix,
    "yyyy-MM-dd HH:mm:ss": _date_time,
    "ISO8601": _iso,
}


def _grok(state: State, statement: Filter) -> None:
    match = statement.option("match")
    for field, patterns in match.pairs if match else ():
        text = state.get(field)
        found = next(filter(None, (re.search(pattern, str(text)) for pattern in patterns.items)), None)
        if found is None:
            raise FilterError("grok: failed to parse data with all match patterns")
        for name, value in found.groupdict().items():
            state.set(name, value)


def _mutate(state: State, statement: Filter) -> None:
    for operation in statement.options:
        if operation.name != "on_error":
            _MUTATIONS[operation.name](state, operation)


def _replace(state: State, operation: Option) -> None:
    for field, template in operation.pairs:
        state.set(field, state.fill(template.text))


def _rename(state: State, operation: Option) -> None:
    for field, target in operation.pairs:
        value = state.find(field)
        if value is not MISSING:
            state.remove(field)
            state.set(target.text, value)


def _copy(state: State, operation: Option) -> None:
    for target, field in operation.pairs:
        state.set(target, copied(state.get(field.text)))


def _merge(state: State, operation: Option) -> None:
    for target, field in operation.pairs:
        value = state.find(field.text)
        if value is MISSING:
            continue
        if value is None:
            raise FilterError(f'merge: "{field.text}" is null')
        present = state.find(target)
        if present is MISSING or present == "":
            state.set(target, present := [])
        if not isinstance(present, list):
            raise FilterError(f'merge: "{target}" is not a list')
        present.append(value if state.dialect.shared_merges and target != OUTPUT else copied(value))


def _convert(state: State, operation: Option) -> None:
    for field, kind in operation.pairs:
        state.set(field, _converted(state, state.get(field), kind.text))


def _converted(state: State, value: object, kind: str) -> object:
    if kind == "string":
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float):
            raise FilterError("convert: not a scalar")
        if isinstance(value, str):
            if state.dialect.texts_to_text:
                raise FilterError("convert: a string already")
            return value
        return number_text(value)
    try:
        number = float(str(value)) if kind == "float" else int(str(value))
    except ValueError:
        raise FilterError(f"convert: {value!r} is no {kind}") from None
    if kind == "uinteger" and number < 0:
        raise FilterError(f"convert: {value!r} is negative")
    return number


def _gsub(state: State, operation: Option) -> None:
    triples = zip(*[iter(operation.items)] * 3, strict=True)
    for field, pattern, replacement in triples:
        value = state.get(field)
        if not isinstance(value, str):
            raise FilterError(f'gsub: "{field}" is not a string')
        state.set(field, re.sub(pattern, _GROUP.sub(r"\\\1", replacement), value))


def _lowercase(state: State, operation: Option) -> None:
    for field in operation.items:
        value = state.get(field)
        if not isinstance(value, str):
            raise FilterError(f'lowercase: "{field}" is not a string')
        state.set(field, value.lower())


_MUTATIONS: dict[str, Callable[[State, Option], None]] = {
    "replace": _replace,
    "rename": _rename,
    "copy": _copy,
    "merge": _merge,
    "convert": _convert,
    "gsub": _gsub,
    "lowercase": _lowercase,
}
_FILTERS: dict[str, Callable[[State, Filter], None]] = {
    "json": _json,
    "drop": _drop,
    "date": _date,
    "grok": _grok,
    "mutate": _mutate,
}
