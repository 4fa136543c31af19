"""Issues of Attack Surface Management: a key's projects, and searches of one project's issues.

Nothing here is documented; the shapes are those that public clients read and responses that were recorded. The search
is part of the path, the project a header. `success: false` is an error, whatever the status. An issue does not name its
project, so each gets it as `project_id`; its other bytes are unchanged.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote, urlencode

from shared.contracts.outcomes import Misconfigured, TransientError
from shared.runtime.json_bytes import TooDeepError, close_up, cut_list, cut_member, read_json, read_object, write_json
from shared.streams.definition import JsonObject, look_up
from shared.virustotal.api_answer import ApiAnswer
from shared.virustotal.listing import SourceItem, continuation, valid_json

SEARCH = "/asm/search/issues"
PROJECTS = "/asm/projects"
# A search counts no more hits, and pages by number end there; whether tokens lead further is not known.
MAX_HITS = 10_000
_SHOWN = 300
# A project's id is sent as a header.
_PROJECT = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class IssueSearch:
    """A search of one project; a token continues it behind a page."""

    project: str
    text: str
    page_size: int
    token: str | None = None

    def target(self) -> str:
        """Return path and query string."""
        query = {"page_size": str(self.page_size), **({"page_token": self.token} if self.token else {})}
        return f"{SEARCH}/{quote(self.text, safe='')}?{urlencode(query)}"


@dataclass(frozen=True)
class IssuePage:
    """A page of a search: its issues with all their fields, the hits of the whole search, and what continues it.

    answered is the response's Date, if it has one.
    """

    items: tuple[SourceItem, ...]
    total: int | None
    token: str | None
    answered: datetime | None = None

    @property
    def capped(self) -> bool:
        """Whether the search may have more hits than are counted."""
        return self.total is not None and self.total >= MAX_HITS


class HeadedApi(Protocol):
    """A client for small responses of the API."""

    def answer(self, path: str, what: str, headers: Mapping[str, str]) -> ApiAnswer:
        """Return the response to a GET with these headers."""


class IssueReader:
    """Reads issues, of these projects, or else of all that the key's owner has."""

    def __init__(self, api: HeadedApi, projects: Sequence[str] = ()) -> None:
        self._api = api
        self._projects = tuple(projects)

    def projects(self) -> tuple[str, ...]:
        """Return the ids of the projects; raise Misconfigured if there is none."""
        if self._projects:
            return self._projects
        what = "list of ASM projects"
        with valid_json(what):
            found = read_json(_result(self._api.answer(PROJECTS, what, {}).body, what))
        if not isinstance(found, list) or not all(map(_is_project, found)):
            raise TransientError(f"{what}: the response has no list of projects in `result`")
        if not found:
            raise Misconfigured(
                "the key's owner has no ASM project: set ASM_PROJECTS to ids of projects, "
                "or leave asm_issues out of STREAMS"
            )
        return tuple(str(look_up(one, "id")) for one in found)

    def search(self, search: IssueSearch) -> IssuePage:
        """Return a page; raises RequestRefused, NotLicensed, KeyRefused or TransientError like the client."""
        what = f"page of {SEARCH} of project {search.project}"
        answer = self._api.answer(search.target(), what, {"PROJECT-ID": search.project})
        with valid_json(what):
            return _page(_result(answer.body, what), search, answer.date, what)


def _page(result: bytes, search: IssueSearch, answered: datetime | None, what: str) -> IssuePage:
    rest, texts = cut_list(result, "hits")
    if texts is None or not all(text.startswith(b"{") for text in texts):
        raise TransientError(f"{what}: the response has no list of objects in `result.hits`")
    if look_up(rest, "timed_out") is True:
        raise TransientError(f"{what}: the search timed out, so hits are missing")
    items = tuple(_of_project(text, search.project) for text in texts)
    # A last page may have a token too.
    token = look_up(rest, "next_page_token") if items and look_up(rest, "more") is not False else None
    total = look_up(rest, "total_hits")
    return IssuePage(items, total if isinstance(total, int) else None, continuation(token), answered)


def _is_project(value: object) -> bool:
    name = look_up(value, "id")
    return isinstance(name, int | str) and _PROJECT.fullmatch(str(name)) is not None


def _result(body: bytes, what: str) -> bytes:
    """Return the JSON of a response's result; raise TransientError if it is no success."""
    compact = close_up(body)
    success, result, message = (cut_member(compact, name) for name in ("success", "result", "message"))
    if success != b"true" or result is None:
        said = (message or b"no message").decode(errors="replace")[:_SHOWN]
        raise TransientError(f"{what}: VirusTotal answered without success: {said}; if it lasts, check ASM_PROJECTS")
    return result


def _of_project(text: bytes, project: str) -> SourceItem:
    rest = text[1:] if text == b"{}" else b"," + text[1:]
    text = b'{"project_id":%b%b' % (write_json(project), rest)
    try:
        known: JsonObject = read_object(text)
    except TooDeepError:
        # The other issues must still be read; the delivery of this one reports the error.
        known = {}
    return SourceItem(text, known)
