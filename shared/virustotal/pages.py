"""Pages of VirusTotal's lists: ioc_stream, collections, and whatever else has `data` and `meta.cursor`."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlencode

from shared.virustotal.errors import SourceTrouble
from shared.virustotal.listing import Listing, read_listing


@dataclass(frozen=True)
class Question:
    """What is asked for, and of which fields; a cursor belongs to the question that it was given for."""

    path: str
    filter: str
    order: str
    limit: int
    cursor: str | None = None
    fields: tuple[str, ...] = ()

    def target(self) -> str:
        """Return path and query; a plus sign travels as %2B, for a raw one arrives as a space."""
        query = {"limit": str(self.limit), "filter": self.filter, "order": self.order}
        if self.cursor:
            query["cursor"] = self.cursor
        return f"{self.path}?{urlencode(query, quote_via=quote)}"


class Reads(Protocol):
    """Whoever gets small answers from the API."""

    def read(self, path: str, what: str) -> bytes:
        """Return the body of a GET."""


class Pages:
    """Reads one page at a time."""

    def __init__(self, api: Reads) -> None:
        self._api = api

    def page(self, question: Question) -> Listing:
        """Return a page; raise RequestRefused, NotLicensed, KeyRefused or SourceTrouble as the client does."""
        what = f"page of {question.path}"
        try:
            listing = read_listing(self._api.read(question.target(), what), question.fields)
        except ValueError as error:
            raise SourceTrouble(f"{what}: the answer is no JSON: {error}") from None
        if listing is None:
            raise SourceTrouble(f"{what}: the answer has no list of objects under `data`")
        if listing.cursor == question.cursor and listing.cursor is not None:
            raise SourceTrouble(f"{what}: the cursor leads back to the same page")
        return listing
