"""Parses YARA-L rules, searches and dashboard queries, checks them, and runs their predicates on records.

The grammar (yaral.lark) is the part of the published syntax that this project uses. What only an instance can check,
such as the types of operands and its limits, is not checked here.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path

from lark import Lark, Token, Tree

from infra.local.secops.parsing.udm import read_udm

# Functions that are used, and those of them that make one value of many.
FUNCTIONS = frozenset({"max", "min", "sum", "count", "count_distinct", "array_distinct", "if", "strings.coalesce"})
FUNCTIONS |= {"strings.to_lower", "timestamp.get_date", "timestamp.get_timestamp"}
AGGREGATES = frozenset({"max", "min", "sum", "count", "count_distinct", "array_distinct"})
MAX_OUTCOMES = 20
_FIELD = re.compile(r'(?:\$(?P<variable>\w+)\.)?(?P<path>[\w.]+?)(?:\["(?P<key>[^"]*)"\])?\Z')

Node = Tree[Token] | Token
Records = dict[str, object]


@cache
def _grammar() -> Lark:
    text = Path(__file__).with_name("yaral.lark").read_text(encoding="utf-8")
    return Lark(text, start=["rule", "query", "search"], parser="lalr", maybe_placeholders=False)


def read(text: str, kind: str) -> Tree[Token]:
    """Return the tree of a rule, a query or a search; raise lark's UnexpectedInput if it is none."""
    return _grammar().parse(text, start=kind)


def problems(tree: Tree[Token]) -> Iterator[str]:
    """Yield the errors of a rule or a query: fields, enums, functions, variables and joins."""
    yield from _fields(tree)
    yield from (f"{name} is not used here" for name in sorted(_functions(tree) - FUNCTIONS))
    yield from _placeholders(tree)
    yield from _outcomes(tree)
    if tree.data == "rule":
        yield from _events(tree)
        yield from _meta(tree)


def section(tree: Tree[Token], name: str) -> Tree[Token] | None:
    """Return a section of a rule or a query."""
    return next((child for child in tree.children if isinstance(child, Tree) and child.data == name), None)


def placeholders(tree: Tree[Token]) -> set[str]:
    """Return the placeholders that the events section, or its equivalent, declares."""
    return {
        str(side)
        for comparison in _predicates(tree).find_data("comparison")
        for side in comparison.children
        if isinstance(side, Token) and side.type == "VARIABLE" and _operator(comparison) == "="
    }


def outcomes(tree: Tree[Token]) -> dict[str, Node]:
    """Return the outcome variables with their expressions."""
    found = section(tree, "outcome")
    pairs = (assignment.children for assignment in found.find_data("assignment")) if found else ()
    return {str(name): value for name, value in pairs}


def holds(tree: Tree[Token], records: Records) -> bool:
    """Return whether the predicates hold for records, by the event variable ("" for a search's only one).

    A field with several values holds if one of them does. A placeholder may have any value.
    """
    return all(_true(predicate, records) for predicate in _predicates(tree).children)


def _predicates(tree: Tree[Token]) -> Tree[Token]:
    events = section(tree, "events") or tree
    return section(events, "predicates") or tree


def _fields(tree: Tree[Token]) -> Iterator[str]:
    for comparison in tree.find_data("comparison"):
        constants = [str(side).strip('"') for side in comparison.children if _is_text(side)]
        for field in _of(comparison, "field"):
            kind = _kind(field)
            if kind is None:
                yield f"{field}: no such field"
            elif kind in read_udm().enums and not set(constants) <= {*read_udm().enums[kind], ""}:
                yield f"{field}: {constants} is no {kind}"
    for field in set(_of(tree, "field")):
        if _kind(field) is None:
            yield f"{field}: no such field"


def _kind(field: str) -> str | None:
    path = _FIELD.match(field)
    if not path:
        return None
    root = "Entity" if path["path"].startswith("graph.") else "UDM"
    below = path["path"].removeprefix("graph.")
    kind = read_udm().field_type(root, re.sub(r"(_time|_timestamp)\.seconds$", r"\1", below))
    return "string" if path["key"] and kind == "Label*" else kind and kind.rstrip("*")


def _functions(tree: Tree[Token]) -> set[str]:
    return {str(call.children[0]) for call in tree.find_data("call")}


def _placeholders(tree: Tree[Token]) -> Iterator[str]:
    known = placeholders(tree)
    match = section(tree, "match")
    for variable in _tokens(match, "VARIABLE") if match else ():
        if variable not in known:
            yield f"match: {variable} is not declared"
    duration = next(iter(_tokens(match, "DURATION")), None) if match else None
    if duration and not _minutes(duration) <= 48 * 60:
        yield f"match: {duration} is more than 48 hours"
    order = section(tree, "order")
    for variable in _tokens(order, "VARIABLE") if order else ():
        if variable not in known | outcomes(tree).keys():
            yield f"order: {variable} is not declared"


def _minutes(duration: str) -> float:
    return int(duration[:-1]) * {"m": 1, "h": 60, "d": 1440}[duration[-1]]


def _outcomes(tree: Tree[Token]) -> Iterator[str]:
    found = outcomes(tree)
    if len(found) > MAX_OUTCOMES:
        yield f"{len(found)} outcomes, not at most {MAX_OUTCOMES}"
    if section(tree, "match"):
        for name, value in found.items():
            if _bare_fields(value):
                yield f"{name}: a field without an aggregate"


def _bare_fields(value: Node) -> bool:
    if isinstance(value, Token):
        return False
    if value.data == "call" and str(value.children[0]) in AGGREGATES:
        return False
    return value.data == "field" or any(_bare_fields(child) for child in value.children)


def _events(tree: Tree[Token]) -> Iterator[str]:
    events = section(tree, "events")
    condition = section(tree, "condition")
    if events is None or condition is None:
        yield "a rule has events and a condition"
        return
    names = {f"${variable(field)}" for field in _of(events, "field")}
    graphs = {f"${variable(field)}" for field in _of(events, "field") if ".graph." in field}
    if not names - graphs:
        yield "a rule is about one UDM event at least"
    for name in sorted(names - set(_tokens(condition, "VARIABLE"))):
        yield f"condition: {name} does not occur"
    for one, other in combinations(sorted(names), 2):
        if not _joined(events, one, other):
            yield f"{one} and {other} are not joined"
    if len(names) > 1 and section(tree, "match") is None:
        yield "a rule of several variables has a match section"


def _joined(events: Tree[Token], one: str, other: str) -> bool:
    """Return whether a comparison holds both sides, or both are compared with one placeholder."""
    sides: dict[str, set[str]] = {}
    for comparison in events.find_data("comparison"):
        named = {f"${variable(field)}" for field in _of(comparison, "field")}
        if {one, other} <= named:
            return True
        for placeholder in (str(side) for side in comparison.children if str(side).startswith("$")):
            sides.setdefault(placeholder, set()).update(named)
    return any({one, other} <= named for named in sides.values())


def _meta(tree: Tree[Token]) -> Iterator[str]:
    meta = section(tree, "meta")
    names = set(_tokens(meta, "NAME")) if meta else set()
    yield from (f"meta: {name} is missing" for name in sorted({"author", "description", "severity"} - names))


def variable(field: str) -> str:
    """Return the event variable of a field, or nothing."""
    found = _FIELD.match(field)
    return (found["variable"] or "") if found else ""


def _of(tree: Tree[Token], kind: str) -> list[str]:
    return [str(found.children[0]) for found in tree.find_data(kind)]


def _tokens(tree: Tree[Token], kind: str) -> list[str]:
    return [str(token) for token in tree.scan_values(lambda value: isinstance(value, Token) and value.type == kind)]


def _is_text(node: Node) -> bool:
    return isinstance(node, Token) and node.type == "STRING"


def _operator(comparison: Tree[Token]) -> str:
    return next((str(part) for part in comparison.children if isinstance(part, Token) and part.type == "OPERATOR"), "")


def _true(node: Node, records: Records) -> bool:
    if isinstance(node, Token):
        return True
    match node.data:
        case "any_of":
            return any(_true(child, records) for child in node.children)
        case "all_of":
            return all(_true(child, records) for child in node.children)
        case "negation":
            return not _true(node.children[0], records)
        case "search":
            return _true(node.children[0], records)
        case _:
            return _compare(node, records)


def _compare(node: Tree[Token], records: Records) -> bool:
    parts = [part for part in node.children if not (isinstance(part, Token) and part.type in {"OPERATOR", "NOCASE"})]
    if any(isinstance(part, Token) and part.type == "VARIABLE" for part in parts):
        return True
    left, right = parts
    if isinstance(right, Tree) and right.data == "regex":
        flags = re.IGNORECASE if any(str(part) == "nocase" for part in node.children) else 0
        pattern = re.compile(str(right.children[0])[1:-1], flags)
        return any(pattern.search(str(value)) for value in _values(left, records))
    rights = _values(right, records)
    return any(_holds(_operator(node), one, other) for one in _values(left, records) for other in rights)


def _holds(operator: str, one: object, other: object) -> bool:
    if operator in {"=", "!="}:
        return (one == other) is (operator == "=")
    first, second = float(str(one or 0)), float(str(other or 0))
    return {">=": first >= second, "<=": first <= second, ">": first > second, "<": first < second}[operator]


def _values(node: Node, records: Records) -> list[object]:
    """Return the values of a side; a field that a record lacks is an empty text, as in YARA-L."""
    if isinstance(node, Token):
        return [float(node) if node.type == "NUMBER" else str(node)[1:-1]]
    if node.data == "call":
        return _returned(node, records)
    path = _FIELD.match(str(node.children[0]))
    if path is None:
        return []
    record = records[path["variable"] or ""]
    names = path["path"].removeprefix("graph.").split(".")
    values = _below(record, names)
    if path["key"] is not None:
        values = [label["value"] for label in values if isinstance(label, dict) and label["key"] == path["key"]]
    return values or [""]


def _returned(call: Tree[Token], records: Records) -> list[object]:
    """Return what a function gives: the first value that is not empty, or each in small letters."""
    arguments = [comparison.children[0] for comparison in call.children[1:] if isinstance(comparison, Tree)]
    values = [value for argument in arguments for value in _values(argument, records)]
    if str(call.children[0]) == "strings.to_lower":
        return [str(value).lower() for value in values]
    return [next((value for value in values if value), "")]


def _below(value: object, names: list[str]) -> list[object]:
    if isinstance(value, list):
        return [found for inner in value for found in _below(inner, names)]
    if not names:
        return [value]
    return _below(value[names[0]], names[1:]) if isinstance(value, dict) and names[0] in value else []
