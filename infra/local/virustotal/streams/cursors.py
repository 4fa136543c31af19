"""Cursors: the position and time of a page's end, and the query it belongs to; signed, and opaque to clients."""

from dataclasses import astuple, dataclass

from itsdangerous import BadData, URLSafeSerializer

_SERIALIZER = URLSafeSerializer("simulated")


class BadCursorError(ValueError):
    """A cursor that was never issued, has expired, or belongs to another query."""


@dataclass(frozen=True)
class Cursor:
    """The last item's date and id, and how many items came before the next one."""

    date: int
    id: str
    position: int
    issued: float
    query: str

    def write(self) -> str:
        """Return the cursor as text."""
        return str(_SERIALIZER.dumps(astuple(self)))


def read_cursor(text: str, *, query: str, now: float, lifetime: float | None) -> Cursor:
    """Read a cursor for this query; raise BadCursorError with the reason."""
    try:
        cursor = Cursor(*_SERIALIZER.loads(text))
    except BadData:
        raise BadCursorError("Invalid cursor") from None
    if cursor.query != query:
        raise BadCursorError("Invalid cursor: it belongs to another filter or order")
    if lifetime is not None and now - cursor.issued > lifetime:
        raise BadCursorError("Invalid cursor: it has expired")
    return cursor
