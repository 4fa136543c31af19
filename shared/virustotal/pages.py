"""Pages of VirusTotal's lists: ioc_stream, collections, and whatever else has `data` and `meta.cursor`."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlencode

from shared.json_bytes import read_json
from shared.streams import JsonObject, look_up
from shared.virustotal.errors import SourceTrouble


@dataclass(frozen=True)
class Question:
    """What is asked for; a cursor belongs to the question it was given for."""

    path: str
    filter: str
    order: str
    limit: int
    cursor: str | None = None

    def target(self) -> str:
        """Return path and query; a plus sign travels as %2B, for a raw one arrives as a space."""
        query = {"limit": str(self.limit), "filter": self.filter, "order": self.order}
        if self.cursor:
            query["cursor"] = self.cursor
        return f"{self.path}?{urlencode(query, quote_via=quote)}"


@dataclass(frozen=True)
class SourcePage:
    """What came; no cursor means that this was the last page."""

    items: tuple[JsonObject, ...]
    cursor: str | None


class Reads(Protocol):
    """Whoever gets small answers from the API."""

    def read(self, path: str, what: str) -> bytes:
        """Return the body of a GET."""


class Pages:
    """Reads one page at a time."""

    def __init__(self, api: Reads) -> None:
        self._api = api

    def page(self, question: Question) -> SourcePage:
        """Return a page; raise RequestRefused, NotLicensed, KeyRefused or SourceTrouble as the client does."""
        what = f"page of {question.path}"
        try:
            answer = read_json(self._api.read(question.target(), what))
        except ValueError as error:
            raise SourceTrouble(f"{what}: the answer is no JSON: {error}") from None
        items, cursor = look_up(answer, "data"), look_up(answer, "meta.cursor") or None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise SourceTrouble(f"{what}: the answer has no list of objects under `data`")
        if cursor == question.cursor and cursor is not None:
            raise SourceTrouble(f"{what}: the cursor leads back to the same page")
        return SourcePage(tuple(items), None if cursor is None else str(cursor))
