"""Check one large line in its own process: `python -m tests.support.line_memory KIND MEBIBYTES`.

Prints one line of JSON: the peak of resident MiB above the start, the reason if the line is rejected, and the number of
bytes written.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from services.downloader.json_objects import BadLineError
from services.downloader.lines import Framer, Line, split_lines
from tests.support.resident import resident_mebibytes

# How the value begins, what is repeated, and how it ends.
KINDS = {
    "string": (b'"', b"x", b'"'),
    "escapes": (b'"', b"\\u00e9\\n", b'"'),
    "wide characters": (b'"', "\U0001f600".encode(), b'"'),
    "integers": (b"[0", b",1", b"]"),
    "floats": (b"[0", b",1.5e3", b"]"),
    "large floats": (b"[0", b",1e308" + b",1.5" * 100, b"]"),
    "arrays": (b"[0", b",[]", b"]"),
    "objects": (b"[0", b",{}", b"]"),
    "objects with ids": (b"[0", b',{"id":1}', b"]"),
    "strings": (b"[0", b',""', b"]"),
    "members": (b'{"":0', b',"":0', b"}"),
    "nesting": (b"[0", b"," + b"[" * 400 + b"1" + b"]" * 400, b"]"),
    "digits": (b"0.", b"1", b""),
    "spaces": (b"1", b" ", b""),
}
BAD_KINDS = {
    "a number beyond FLOAT64": (b"", b"9", b""),
    "no end of a string": (b'"', b"x", b""),
    "no end of arrays": (b"", b"[", b""),
    "quotes": (b"", b'"', b""),
    "backslashes": (b'"', b"\\x", b'"'),
    "NUL bytes": (b'"', b"\0", b'"'),
    "not UTF-8": (b'"', b"\xff", b'"'),
}
_PIECE_BYTES = 1024 * 1024


def main(kind: str, mebibytes: str) -> None:
    """Make the line, frame or reject it, and print the measurements."""
    framer = Framer(datetime(2026, 11, 21, tzinfo=UTC))
    _result(framer, next(split_lines([b'{"id":"x"}\n'])))
    before = resident_mebibytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    [line] = split_lines(_pieces(*{**KINDS, **BAD_KINDS}[kind], int(mebibytes) * 1024 * 1024))
    reason, written = _result(framer, line)
    measured = {"reason": reason, "size": line.size, "written": written}
    print(json.dumps({**measured, "mebibytes": resident_mebibytes("VmHWM") - before}))  # noqa: T201


def _pieces(first: bytes, repeated: bytes, last: bytes, size: int) -> Iterator[bytes]:
    begun, ended = b'{"id":"x","a":' + first, last + b"}\n"
    left = (size - len(begun) - len(ended)) // len(repeated)
    yield begun
    a_piece = _PIECE_BYTES // len(repeated)
    for _ in range(left // a_piece):
        yield repeated * a_piece
    yield repeated * (left % a_piece) + ended


def _result(framer: Framer, line: Line) -> tuple[str | None, int]:
    try:
        return None, _size(framer.frame(line))
    except BadLineError as error:
        return str(error), _size(framer.reject(line, str(error)))


def _size(parts: Iterable[bytes]) -> int:
    return sum(map(len, parts))


if __name__ == "__main__":
    main(*sys.argv[1:])
