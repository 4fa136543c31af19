"""The filter language of subscriptions: attributes:key, attributes.key = "value", hasPrefix(), NOT, AND, OR."""

import json
import re
from collections.abc import Callable, Mapping

Filter = Callable[[Mapping[str, str]], bool]

_WORDS = re.compile(r'\s*("(?:[^"\\]|\\.)*"|!=|\w[\w-]*|\S)')


def parse_filter(text: str) -> Filter:
    """Return whether attributes pass, as a function; raise ValueError for what is no filter."""
    if not (words := _WORDS.findall(text)[::-1]):
        return lambda _: True
    found = _expression(words)
    if words:
        raise ValueError(f"unexpected {words[-1]!r}")
    return found


# Recursive descent: each function takes what it understands off the end of `words`.
def _expression(words: list[str]) -> Filter:
    parts, operator = [_term(words)], ""
    while words and words[-1] in ("AND", "OR"):
        # Pub/Sub too wants parentheses where both are used.
        _expect(words, operator := operator or words[-1])
        parts.append(_term(words))
    combine = any if operator == "OR" else all
    return lambda attributes: combine(part(attributes) for part in parts)


def _term(words: list[str]) -> Filter:
    word = _next(words)
    if word in ("NOT", "-"):
        inner = _term(words)
        return lambda attributes: not inner(attributes)
    if word == "(":
        group = _expression(words)
        _expect(words, ")")
        return group
    if word == "hasPrefix":
        return _prefix(words)
    if word == "attributes":
        return _comparison(words)
    raise ValueError(f"expected a condition and found {word or 'the end'!r}")


def _prefix(words: list[str]) -> Filter:
    _expect(words, "(", "attributes", ".")
    key = _text(words)
    _expect(words, ",")
    prefix = _text(words)
    _expect(words, ")")
    return lambda attributes: key in attributes and attributes[key].startswith(prefix)


def _comparison(words: list[str]) -> Filter:
    if (dot := _next(words)) == ":":
        present = _text(words)
        return lambda attributes: present in attributes
    key, operator, value = _text(words), _next(words), _text(words)
    if dot != "." or operator not in ("=", "!="):
        raise ValueError(f"expected attributes.key, then = or !=, and found {dot!r}, {operator!r}")
    return lambda attributes: (key in attributes and attributes[key] == value) == (operator == "=")


def _expect(words: list[str], *wanted: str) -> None:
    for word in wanted:
        if (found := _next(words)) != word:
            raise ValueError(f"expected {word!r} and found {found or 'the end'!r}")


def _next(words: list[str]) -> str:
    return words.pop() if words else ""


def _text(words: list[str]) -> str:
    word = _next(words)
    if word.startswith('"') and len(word) > 1:
        return str(json.loads(word))
    if not re.match(r"\w", word):
        raise ValueError(f"expected a key or a string and found {word or 'the end'!r}")
    return word
