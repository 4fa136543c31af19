"""Make the bytes of a package from its lines, with body faults applied."""

import bz2
import gzip
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from infra.local.virustotal.faults import Rule
from infra.local.virustotal.packages import Package

_BAD_LINES = (
    b'{"id": "cut-in-the-middle", "type": "dom',
    b'["a list", "not an object"]',
    b'{"type": "domain", "attributes": {}}',
    b'{"id": 4711, "type": "domain", "attributes": {}}',
    b'{"id": "not-utf-8", "type": "\xff\xfe"}',
)
"""Invalid JSON, not an object, no id, an id that is not a string, invalid UTF-8."""

# The beginning, repeated part and end of a large value.
_LARGE_VALUES = {"string": (b'"', b"x", b'"'), "array": (b"[0", b",[]", b"]"), "numbers": (b"[0", b",1.5", b"]")}

_HTML = b"<!doctype html><title>Sorry</title><p>Something went wrong on our side.</p>\n"


def package_text(package: Package, rules: Sequence[Rule]) -> bytes:
    """Return the decompressed package with these body faults applied."""
    kinds = {rule.kind for rule in rules}
    if "changed" in kinds:
        package = replace(package, seed=f"{package.seed} changed")
    lines = [] if "empty" in kinds else package.lines_as_bytes()
    for rule in rules:
        if lines and rule.kind in _LINE_FAULTS:
            _LINE_FAULTS[rule.kind](lines, rule)
    end = b"\r\n" if "crlf" in kinds else b"\n"
    text = b"".join(line + end for line in lines)
    return text.removesuffix(end) if "no_final_newline" in kinds else text


def package_body(package: Package, rules: Sequence[Rule]) -> bytes:
    """Return the package as it is downloaded: bzip2, unless a fault changes that."""
    text = package_text(package, rules)
    if any(rule.kind == "byte_order_mark" for rule in rules):
        text = b"\xef\xbb\xbf" + text
    by_kind = {rule.kind: rule for rule in rules}
    if "gzip_body" in by_kind:
        body = gzip.compress(text, mtime=0)
    elif rule := by_kind.get("multi_stream"):
        body = b"".join(bz2.compress(part) for part in _parts(text, rule.streams))
    else:
        body = bz2.compress(text)
    for rule in rules:
        if rule.kind in _BODY_FAULTS:
            body = _BODY_FAULTS[rule.kind](body, rule)
    return body


def _parts(text: bytes, count: int) -> list[bytes]:
    # Split at any byte, as by a writer that flushes by size.
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, max(1, len(text)), size)]


def _spoil(lines: list[bytes], count: int) -> None:
    """Replace good lines with bad ones, spread evenly; the number of lines does not change."""
    count = min(count, len(lines))
    for number in range(count):
        lines[(2 * number + 1) * len(lines) // (2 * count)] = _BAD_LINES[number % len(_BAD_LINES)]


def _big_line(lines: list[bytes], rule: Rule) -> None:
    opened, repeated, closed = _LARGE_VALUES[rule.of]
    start, end = lines[0].removesuffix(b"}") + b', "padding": ' + opened, closed + b"}"
    count, left = divmod(rule.size - len(start) - len(end), len(repeated))
    # White space fills the remainder.
    lines[0] = start + repeated * count + end + b" " * left


def _empty_lines(lines: list[bytes], rule: Rule) -> None:
    middle = len(lines) // 2
    lines[middle:middle] = [b""] * rule.count


def _corrupt(body: bytes, rule: Rule) -> bytes:
    place = min(int(rule.at * len(body)), len(body) - 1)
    return body[:place] + bytes([body[place] ^ 0b0101_1010]) + body[place + 1 :]


def encode(body: bytes, coding: str) -> bytes:
    """Return a body with a Content-Encoding, gzip or deflate."""
    return gzip.compress(body, mtime=0) if coding == "gzip" else zlib.compress(body)


_LINE_FAULTS: dict[str, Callable[[list[bytes], Rule], None]] = {
    "bad_lines": lambda lines, rule: _spoil(lines, rule.count),
    "mostly_bad": lambda lines, rule: _spoil(lines, round(rule.share * len(lines)) or 1),
    "big_line": _big_line,
    "empty_lines": _empty_lines,
}

_BODY_FAULTS: dict[str, Callable[[bytes, Rule], bytes]] = {
    "corrupt": _corrupt,
    "cut": lambda body, rule: body[: int(rule.at * len(body))],
    "trailing_garbage": lambda body, _: body + b"this is not part of any bzip2 stream",
    "trailing_padding": lambda body, rule: body + bytes(rule.count) + b"\n",
    "html_body": lambda _body, _rule: _HTML,
    "content_encoding": lambda body, rule: encode(body, rule.coding),
}
