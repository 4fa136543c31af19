"""From lines to the bytes of a package, with the body faults of a fetch worked in."""

import bz2
import gzip
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
"""Invalid JSON, no object, no id, an id that is no string, invalid UTF-8."""

_HTML = b"<!doctype html><title>Sorry</title><p>Something went wrong on our side.</p>\n"


def package_text(package: Package, rules: Sequence[Rule]) -> bytes:
    """Return the decompressed package as these body faults leave it."""
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
    """Return the package as it is downloaded: bzip2, unless a fault makes it something else."""
    text = package_text(package, rules)
    by_kind = {rule.kind: rule for rule in rules}
    if "gzip_body" in by_kind:
        body = gzip.compress(text, mtime=0)
    elif rule := by_kind.get("multi_stream"):
        body = b"".join(bz2.compress(part) for part in _parts(text, rule.streams))
    else:
        body = bz2.compress(text)
    for rule in rules:
        body = _BODY_FAULTS.get(rule.kind, _unharmed)(body, rule)
    return body


def _parts(text: bytes, count: int) -> list[bytes]:
    # Cut without regard to lines, as a writer that flushes by size would.
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, max(1, len(text)), size)]


def _spoil(lines: list[bytes], count: int) -> None:
    """Put bad lines in place of good ones, spread evenly, so that the number of lines stays."""
    count = min(count, len(lines))
    for number in range(count):
        lines[(2 * number + 1) * len(lines) // (2 * count)] = _BAD_LINES[number % len(_BAD_LINES)]


def _bad_lines(lines: list[bytes], rule: Rule) -> None:
    _spoil(lines, rule.count)


def _mostly_bad(lines: list[bytes], rule: Rule) -> None:
    _spoil(lines, round(rule.share * len(lines)) or 1)


def _big_line(lines: list[bytes], rule: Rule) -> None:
    start, end = lines[0].removesuffix(b"}") + b', "padding": "', b'"}'
    lines[0] = start + b"x" * (rule.size - len(start) - len(end)) + end


def _empty_lines(lines: list[bytes], rule: Rule) -> None:
    for _ in range(rule.count):
        lines.insert(len(lines) // 2, b"")


def _unharmed(body: bytes, _: Rule) -> bytes:
    return body


def _corrupt(body: bytes, rule: Rule) -> bytes:
    place = min(int(rule.at * len(body)), len(body) - 1)
    return body[:place] + bytes([body[place] ^ 0b0101_1010]) + body[place + 1 :]


def _cut(body: bytes, rule: Rule) -> bytes:
    return body[: int(rule.at * len(body))]


def _trailing_garbage(body: bytes, _: Rule) -> bytes:
    return body + b"this is not part of any bzip2 stream"


def _html_body(_body: bytes, _rule: Rule) -> bytes:
    return _HTML


_LINE_FAULTS: dict[str, Callable[[list[bytes], Rule], None]] = {
    "bad_lines": _bad_lines,
    "mostly_bad": _mostly_bad,
    "big_line": _big_line,
    "empty_lines": _empty_lines,
}

_BODY_FAULTS: dict[str, Callable[[bytes, Rule], bytes]] = {
    "corrupt": _corrupt,
    "cut": _cut,
    "trailing_garbage": _trailing_garbage,
    "html_body": _html_body,
}
