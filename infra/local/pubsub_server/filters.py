"""The filter language of subscriptions: attributes:key, attributes.key = "value", hasPrefix(), NOT, AND, OR."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Filter = Callable[[Mapping[str, str]], bool]

_TEXT = r'(\w[\w-]*|"(?:[^"\\]|\\.)*")'
_WORD = re.compile(
    rf"(AND\b|OR\b|NOT\b|[-()])|hasPrefix\s*\(\s*attributes\s*\.\s*{_TEXT}\s*,\s*{_TEXT}\s*\)"
    rf"|attributes\s*:\s*{_TEXT}|attributes\s*\.\s*{_TEXT}\s*(!?=)\s*{_TEXT}|(\S)"
)


def parse_filter(text: str) -> Filter:
    """Return a function that tests attributes; raise ValueError for an invalid filter."""
    words = [_word(found) for found in _WORD.finditer(text)][::-1]
    passes: Filter = _expression(words) if words else lambda _: True
    if words:
        raise ValueError(f"unexpected {words[-1]!r}")
    return passes


def _word(found: re.Match[str]) -> Any:
    """Return an operator as text, and a condition as a function."""
    texts = [json.loads(text) if text and len(text) > 1 and text[0] == '"' else text for text in found.groups()]
    operator, prefixed, prefix, present, key, compared, value, stray = texts
    if stray:
        raise ValueError(f"unexpected {found.string[found.start() :]!r}")
    if (name := prefixed or present) is not None:
        return lambda attributes: name in attributes and attributes[name].startswith(prefix or "")
    if key is not None:
        return lambda attributes: (attributes.get(key) == value) == (compared == "=")
    return operator


# Recursive descent: each function pops the words that it parses from the end of `words`.
def _expression(words: list[Any]) -> Filter:
    parts, operator = [_term(words)], words[-1] if words else ""
    # Pub/Sub also requires parentheses where both are used.
    while words and words[-1] == operator and operator in ("AND", "OR"):
        words.pop()
        parts.append(_term(words))
    combine = any if operator == "OR" else all
    return lambda attributes: combine(part(attributes) for part in parts)


def _term(words: list[Any]) -> Filter:
    word = words.pop() if words else "the end"
    if callable(word):
        return word  # type: ignore[no-any-return]
    if word not in ("NOT", "-", "("):
        raise ValueError(f"expected a condition and found {word!r}")
    inner = _expression(words) if word == "(" else _term(words)
    if word != "(":
        return lambda attributes: not inner(attributes)
    if not words or words.pop() != ")":
        raise ValueError("expected ')'")
    return inner
