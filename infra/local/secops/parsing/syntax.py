"""Reads a parser of Google SecOps into statements.

The language is Logstash's with changes (docs.cloud.google.com/chronicle/docs/reference/parser-syntax). What the parsers
of this project do not use is refused: grok's named patterns, kv, csv, xml, base64, statedump, and some of mutate.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from infra.local.secops.parsing.conditions import Condition, read_condition
from infra.local.secops.parsing.tokens import ParserSyntaxError, Tokens

# The filters with their options; those of mutate are its operations.
FILTERS = {
    "mutate": frozenset({"replace", "rename", "copy", "merge", "convert", "gsub", "lowercase", "on_error"}),
    "json": frozenset({"source", "array_function", "on_error"}),
    "drop": frozenset({"tag"}),
    "date": frozenset({"match", "target", "on_error"}),
    "grok": frozenset({"match", "on_error"}),
}
_LOOP = re.compile(r"[a-z_]\w*\Z", re.I)


@dataclass(frozen=True)
class Option:
    """One option of a filter: a text, a list of texts, or pairs of texts and values."""

    name: str
    text: str = ""
    items: tuple[str, ...] = ()
    pairs: tuple[tuple[str, "Option"], ...] = ()


@dataclass(frozen=True)
class Filter:
    """A filter with its options."""

    line: int
    name: str
    options: tuple[Option, ...]

    def option(self, name: str) -> Option | None:
        """Return an option, or None where the filter does not have it."""
        return next((option for option in self.options if option.name == name), None)

    def text(self, name: str) -> str:
        """Return an option's text, or nothing."""
        option = self.option(name)
        return option.text if option else ""


@dataclass(frozen=True)
class Branch:
    """A block with its condition; the last branch may have none."""

    condition: Condition | None
    block: tuple["Statement", ...]


@dataclass(frozen=True)
class Choice:
    """if, else if, else."""

    line: int
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Loop:
    """A loop over a list (`for item in path`) or over the pairs of an object (`for key, value in path map`)."""

    line: int
    names: tuple[str, ...]
    path: str
    over_map: bool
    block: tuple["Statement", ...]


Statement = Filter | Choice | Loop


def read_parser(text: str) -> tuple[Statement, ...]:
    """Return the statements of `filter { ... }`; raise ParserSyntaxError with the line otherwise."""
    tokens = Tokens(text)
    tokens.expect("filter")
    block = _block(tokens)
    tokens.end()
    return block


def every_statement(block: tuple[Statement, ...]) -> Iterator[Statement]:
    """Yield every statement of a block and of the blocks in it, in the order of the text."""
    for statement in block:
        yield statement
        for inner in inner_blocks(statement):
            yield from every_statement(inner)


def inner_blocks(statement: Statement) -> Iterator[tuple[Statement, ...]]:
    """Yield the blocks in a statement."""
    if isinstance(statement, Loop):
        yield statement.block
    elif isinstance(statement, Choice):
        yield from (branch.block for branch in statement.branches)


def _block(tokens: Tokens) -> tuple[Statement, ...]:
    tokens.expect("{")
    statements = []
    while not tokens.take("}"):
        statements.append(_statement(tokens))
    return tuple(statements)


def _statement(tokens: Tokens) -> Statement:
    line = tokens.line
    if tokens.take("if"):
        return Choice(line, tuple(_branches(tokens)))
    if tokens.take("for"):
        return _loop(tokens, line)
    name = tokens.next("a filter")
    if name not in FILTERS:
        raise ParserSyntaxError(f"line {line}: {name!r} is not one of the filters {', '.join(sorted(FILTERS))}")
    options = tuple(_options(tokens))
    for option in options:
        if option.name not in FILTERS[name]:
            raise ParserSyntaxError(f"line {line}: {name} with {option.name!r} is not read here")
    return Filter(line, name, options)


def _branches(tokens: Tokens) -> Iterator[Branch]:
    yield Branch(read_condition(tokens), _block(tokens))
    while tokens.take("else"):
        if tokens.take("if"):
            yield Branch(read_condition(tokens), _block(tokens))
        else:
            yield Branch(None, _block(tokens))
            return


def _loop(tokens: Tokens, line: int) -> Loop:
    names = [tokens.next("a variable")]
    while tokens.take(","):
        names.append(tokens.next("a variable"))
    if len(names) > 2 or not all(_LOOP.match(name) for name in names):
        raise ParserSyntaxError(f"line {line}: a loop has one or two variables, not {', '.join(names)}")
    tokens.expect("in")
    path = tokens.next("a path")
    return Loop(line, tuple(names), path, tokens.take("map"), _block(tokens))


def _options(tokens: Tokens) -> Iterator[Option]:
    tokens.expect("{")
    while not tokens.take("}"):
        name = tokens.next("an option")
        tokens.expect("=>")
        yield _option(tokens, name)


def _option(tokens: Tokens, name: str) -> Option:
    if tokens.take("{"):
        return Option(name, pairs=tuple(_pairs(tokens)))
    if tokens.take("["):
        return Option(name, items=tuple(_items(tokens)))
    return Option(name, text=tokens.string())


def _pairs(tokens: Tokens) -> Iterator[tuple[str, Option]]:
    while not tokens.take("}"):
        key = tokens.string()
        tokens.expect("=>")
        yield key, _option(tokens, key)


def _items(tokens: Tokens) -> Iterator[str]:
    while not tokens.take("]"):
        yield tokens.string()
        if not tokens.take(","):
            tokens.expect("]")
            return
