"""Pages of VirusTotal's lists: ioc_stream, collections, and all others with `data` and `meta.cursor`."""

from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import quote, urlencode

from shared.contracts.outcomes import TransientError
from shared.virustotal.api_answer import ApiAnswer
from shared.virustotal.listing import Listing, read_listing, valid_json


@dataclass(frozen=True)
class ListQuery:
    """A query of a list; a cursor is valid only for the query that returned it."""

    path: str
    filter: str
    order: str
    limit: int
    cursor: str | None = None
    fields: tuple[str, ...] = ()

    def target(self) -> str:
        """Return path and query string; a plus sign is sent as %2B, because a raw one means a space."""
        given = {"filter": self.filter, "order": self.order, "cursor": self.cursor}
        query = {"limit": str(self.limit), **{name: text for name, text in given.items() if text}}
        return f"{self.path}?{urlencode(query, quote_via=quote)}"


class ApiReader(Protocol):
    """A client for small responses of the API."""

    def answer(self, path: str, what: str) -> ApiAnswer:
        """Return the response to a GET."""


class ListReader:
    """Reads one page at a time."""

    def __init__(self, api: ApiReader) -> None:
        self._api = api

    def page(self, question: ListQuery) -> Listing:
        """Return a page; raises RequestRefused, NotLicensed, KeyRefused or TransientError like the client."""
        what = f"page of {question.path}"
        answer = self._api.answer(question.target(), what)
        with valid_json(what):
            listing = read_listing(answer.body, question.fields)
        if listing is None:
            raise TransientError(f"{what}: the response has no list of objects in `data`")
        if listing.cursor == question.cursor and listing.cursor is not None:
            raise TransientError(f"{what}: the cursor leads back to the same page")
        return replace(listing, answered=answer.date)
