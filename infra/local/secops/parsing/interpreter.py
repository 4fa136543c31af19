"""Runs a parser on a log, as logTypes.runParser does.

Of the language it knows what the parsers of this project use. Where Google's pages leave something open, a Dialect
says how it is read; a parser that is right gives the same in all of them.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from infra.local.secops.parsing.conditions import AllOf, AnyOf, Comparison, Condition, Field, Not, Truth
from infra.local.secops.parsing.filters import OUTPUT, TIMESTAMP, Dropped, run_filter
from infra.local.secops.parsing.state import MISSING, Dialect, FilterError, State
from infra.local.secops.parsing.syntax import Choice, Filter, Loop, Statement

STRICT = Dialect()
_ROOTS = {"read_only_udm": "event", "entity": "entity"}

__all__ = ["STRICT", "Dropped", "ParserError", "run_parser"]


class ParserError(Exception):
    """The parser ended in an error on this log: nothing of it becomes a record."""


def run_parser(
    parser: tuple[Statement, ...], log: str, received: datetime, dialect: Dialect = STRICT
) -> list[dict[str, object]]:
    """Return the records of a log, each `{"event": ...}` or `{"entity": ...}` with UDM's field names.

    Times are datetimes. An event's time is what `date` has set, else `received`. Raises Dropped and ParserError.
    """
    state = State(dialect)
    state.set("message", log)
    state.set(OUTPUT, [])
    _run(state, parser)
    records = state.get(OUTPUT)
    moment = state.find(TIMESTAMP)
    return list(_records(records, received if moment is MISSING else moment))


def _records(output: object, moment: object) -> Iterator[dict[str, object]]:
    for event in output if isinstance(output, list) else ():
        for root, record in event["idm"].items():
            if root == "read_only_udm":
                record["metadata"]["event_timestamp"] = moment
            yield {_ROOTS[root]: record}


def _run(state: State, block: tuple[Statement, ...]) -> None:
    for number, statement in enumerate(block):
        match statement:
            case Filter():
                _filter(state, statement, number)
            case Choice():
                _choice(state, statement)
            case Loop():
                _loop(state, statement)


def _filter(state: State, statement: Filter, number: int) -> None:
    flag = statement.text("on_error")
    try:
        run_filter(state, statement)
    except FilterError as error:
        if not flag:
            place = f"line {statement.line}: filter {statement.name} ({number})"
            raise ParserError(f"pipeline failed: {place} failed: {error}") from None
    else:
        if flag:
            state.set(flag, False)  # noqa: FBT003
        return
    state.set(flag, True)  # noqa: FBT003


def _choice(state: State, statement: Choice) -> None:
    for branch in statement.branches:
        if branch.condition is None or _holds(state, branch.condition, statement.line):
            _run(state, branch.block)
            return


def _loop(state: State, statement: Loop) -> None:
    values = state.find(statement.path)
    pairs: list[tuple[object, object]] = []
    if statement.over_map and isinstance(values, dict):
        # The reference shows an object's keys in alphabetical order.
        pairs = sorted(values.items())
    elif not statement.over_map and isinstance(values, list):
        pairs = list(enumerate(values))
    for key, value in pairs:
        with _variables(state, statement.names, key, value):
            _run(state, statement.block)


@contextmanager
def _variables(state: State, names: tuple[str, ...], key: object, value: object) -> Iterator[None]:
    *first, last = names
    for name in first:
        state.set(name, key)
    state.set(last, value)
    yield
    for name in names:
        state.remove(name)


def _holds(state: State, condition: Condition, line: int) -> bool:
    match condition:
        case AllOf(parts):
            return all(_holds(state, part, line) for part in parts)
        case AnyOf(parts):
            return any(_holds(state, part, line) for part in parts)
        case Not(inner):
            return not _holds(state, inner, line)
        case Truth(Field(path)):
            return _value(state, path, line) is True
        case Comparison():
            return _compare(state, condition, line)


def _compare(state: State, condition: Comparison, line: int) -> bool:
    left = _value(state, condition.left.path, line)
    right = condition.right
    if isinstance(right, Field):
        right = str(_value(state, right.path, line))
    match condition.operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "=~":
            return re.search(str(right), str(left)) is not None
        case "!~":
            return re.search(str(right), str(left)) is None
        case "in":
            return left in right
        case _:
            return left not in right


def _value(state: State, path: str, line: int) -> object:
    value = state.find(path)
    if value is MISSING or value is None:
        raise ParserError(
            f"pipeline failed: line {line}: filter conditional failed: failed to evaluate expression: "
            f'"{path}" not found in state data'
        )
    return value
