"""Cuts the text of a parser into tokens."""

import re
from dataclasses import dataclass
from typing import NoReturn

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<string>"[^"\\\n]*")
      | (?P<path>(?:\[[\w@.-]+\])+)
      | (?P<sign>=>|==|=~|!=|!~|[{}\[\](),!])
      | (?P<word>@?[A-Za-z_][\w.-]*)""",
    re.VERBOSE,
)


class ParserSyntaxError(ValueError):
    """The text is no parser, or uses what is not read here."""


@dataclass(frozen=True)
class Token:
    """A token with the line that it begins in."""

    kind: str
    text: str
    line: int


class Tokens:
    """The tokens of a text, read one after another."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_cut(text))
        self._next = 0

    @property
    def line(self) -> int:
        """The line of the next token, or of the last one at the end."""
        return self._tokens[min(self._next, len(self._tokens) - 1)].line

    def peek(self) -> Token | None:
        """Return the next token without taking it; None at the end."""
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def take(self, text: str) -> bool:
        """Take the next token if it is this sign or word."""
        token = self.peek()
        if token is None or token.kind == "string" or token.text != text:
            return False
        self._next += 1
        return True

    def expect(self, text: str) -> None:
        """Take this sign or word."""
        if not self.take(text):
            self._refuse(repr(text))

    def next(self, what: str) -> str:
        """Take a word."""
        return self._kind("word", what)

    def path(self) -> str:
        """Take `[a][b]` and return `a.b`."""
        return self._kind("path", "a field in brackets").strip("[]").replace("][", ".")

    def string(self) -> str:
        """Take a text in double quotes, and return it without them; how escapes are read is not public, so none is."""
        return self._kind("string", "a text in double quotes without a backslash")[1:-1]

    def end(self) -> None:
        """Refuse anything more."""
        if self.peek() is not None:
            self._refuse("the end")

    def _kind(self, kind: str, what: str) -> str:
        token = self.peek()
        if token is None or token.kind != kind:
            self._refuse(what)
        self._next += 1
        return token.text

    def _refuse(self, expected: str) -> NoReturn:
        token = self.peek()
        found = repr(token.text) if token else "the end"
        raise ParserSyntaxError(f"line {self.line}: expected {expected}, found {found}")


def _cut(text: str) -> list[Token]:
    tokens, place, line = [], 0, 1
    while place < len(text):
        found = _TOKEN.match(text, place)
        if not found:
            raise ParserSyntaxError(f"line {line}: cannot read {text[place : place + 20]!r}")
        kind = found.lastgroup or ""
        if kind != "space":
            tokens.append(Token(kind, found[0], line))
        line += found[0].count("\n")
        place = found.end()
    return tokens
