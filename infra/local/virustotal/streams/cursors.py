"""Keyset cursors: where a page ended, when that was said, and for which question; signed, and opaque to clients."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

_KEY = b"simulated"


class BadCursorError(ValueError):
    """A cursor that was never given out, has expired, or belongs to another question."""


@dataclass(frozen=True)
class Cursor:
    """The last item's date and id."""

    date: int
    id: str
    issued: float
    question: str

    def write(self) -> str:
        """Return the cursor as text."""
        content = json.dumps([self.date, self.id, self.issued, self.question]).encode()
        return base64.urlsafe_b64encode(_signature(content) + content).decode().rstrip("=")


def read_cursor(text: str, *, question: str, now: float, lifetime: float | None) -> Cursor:
    """Read a cursor for this question; raise BadCursorError with the reason."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise BadCursorError("Invalid cursor") from None
    signature, content = raw[:16], raw[16:]
    if not hmac.compare_digest(signature, _signature(content)):
        raise BadCursorError("Invalid cursor")
    cursor = Cursor(*json.loads(content))
    if cursor.question != question:
        raise BadCursorError("Invalid cursor: it belongs to another filter or order")
    if lifetime is not None and now - cursor.issued > lifetime:
        raise BadCursorError("Invalid cursor: it has expired")
    return cursor


def _signature(content: bytes) -> bytes:
    return hmac.new(_KEY, content, hashlib.sha256).digest()[:16]
