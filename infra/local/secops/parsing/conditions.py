"""The conditions of `if`."""

from dataclasses import dataclass

from infra.local.secops.parsing.tokens import Tokens

OPERATORS = ("==", "!=", "=~", "!~", "in", "not in")


@dataclass(frozen=True)
class Field:
    """A path such as `attributes.md5`, written [attributes][md5]."""

    path: str


@dataclass(frozen=True)
class Comparison:
    """A field compared with a text, another field, or a list of texts."""

    left: Field
    operator: str
    right: "str | Field | tuple[str, ...]"


@dataclass(frozen=True)
class Truth:
    """A field that is true, such as what on_error has set."""

    field: Field


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    inner: "Condition"


@dataclass(frozen=True)
class AllOf:
    """Conditions joined by `and`."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True)
class AnyOf:
    """Conditions joined by `or`."""

    parts: "tuple[Condition, ...]"


Condition = Comparison | Truth | Not | AllOf | AnyOf


def read_condition(tokens: Tokens) -> Condition:
    """Read a condition; `and` binds closer than `or`."""
    parts = [_conjunction(tokens)]
    while tokens.take("or"):
        parts.append(_conjunction(tokens))
    return AnyOf(tuple(parts)) if len(parts) > 1 else parts[0]


def fields_of(condition: Condition) -> set[str]:
    """Return the path of every field in a condition."""
    match condition:
        case Comparison(left, _, Field(path)):
            return {left.path, path}
        case Comparison(left, _, _):
            return {left.path}
        case Truth(field):
            return {field.path}
        case Not(inner):
            return fields_of(inner)
        case AllOf(parts) | AnyOf(parts):
            return {path for part in parts for path in fields_of(part)}


def _conjunction(tokens: Tokens) -> Condition:
    parts = [_single(tokens)]
    while tokens.take("and"):
        parts.append(_single(tokens))
    return AllOf(tuple(parts)) if len(parts) > 1 else parts[0]


def _single(tokens: Tokens) -> Condition:
    if tokens.take("!"):
        return Not(_single(tokens))
    if tokens.take("("):
        inner = read_condition(tokens)
        tokens.expect(")")
        return inner
    return _comparison(Field(tokens.path()), tokens)


def _comparison(left: Field, tokens: Tokens) -> Condition:
    if tokens.take("not"):
        tokens.expect("in")
        return Comparison(left, "not in", _texts(tokens))
    if tokens.take("in"):
        return Comparison(left, "in", _texts(tokens))
    for operator in ("==", "!=", "=~", "!~"):
        if tokens.take(operator):
            return Comparison(left, operator, _operand(tokens))
    return Truth(left)


def _operand(tokens: Tokens) -> str | Field:
    token = tokens.peek()
    return Field(tokens.path()) if token and token.kind == "path" else tokens.string()


def _texts(tokens: Tokens) -> tuple[str, ...]:
    tokens.expect("[")
    texts = [tokens.string()]
    while tokens.take(","):
        texts.append(tokens.string())
    tokens.expect("]")
    return tuple(texts)
