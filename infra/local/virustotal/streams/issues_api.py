"""Handles `/api/v3/asm`: projects, the search of issues, and the status of one."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from urllib.parse import unquote

from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, Field

from infra.local.virustotal import errors
from infra.local.virustotal.refusals import refuse
from infra.local.virustotal.simulator import Simulator
from infra.local.virustotal.streams.api import ListsApi
from infra.local.virustotal.streams.faults import ENCODING, KINDS, encoded, own_answer
from infra.local.virustotal.streams.issue_search import BadSearchError, Bounds, read_search
from infra.local.virustotal.streams.issues import PROJECTS, STATUSES, Issue, Issues
from infra.local.web import Answer, Request, Route, json_answer, route

SEARCH, PROJECT_LIST = "asm/search/issues", "asm/projects"
_DEFAULT, _LARGEST = 50, 1000
# Real tokens have 1,067 characters.
_TOKEN_LENGTH = 1067
_SERIALIZER = URLSafeSerializer("simulated issues")


class IssueSettings(BaseModel):
    """Settings of the search.

    cap is the most hits that a search counts, and that its pages lead to; with tokens_beyond_cap its tokens lead to the
    rest. With inclusive bounds, `after` and `before` include their own time. Unstable ties are in another order with
    every request, so that pages repeat hits and leave others out. A token lives for token_seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    projects: tuple[str, ...] = tuple(PROJECTS)
    cap: int = Field(default=10_000, ge=1)
    tokens_beyond_cap: bool = False
    inclusive: bool = False
    unstable_ties: bool = False
    token_seconds: float | None = None


class IssuesApi:
    """The issues of one simulator; faults and counts are those of the lists, under SEARCH and PROJECT_LIST."""

    def __init__(self, simulator: Simulator, lists: ListsApi) -> None:
        self._simulator = simulator
        self._lists = lists
        self.issues = Issues(simulator.settings.seed, simulator.settings.pace)
        self.reset()

    def reset(self) -> None:
        """Reset to the initial state."""
        self.issues.reset()
        self.settings = IssueSettings()
        self._asked = 0

    def routes(self) -> list[Route]:
        """Return the routes of the API port."""
        return [
            route("GET", f"/api/v3/{PROJECT_LIST}", self.projects),
            route("GET", f"/api/v3/{SEARCH}/(?P<query>[^/]*)", self.search),
            route("POST", r"/api/v3/asm/issues/(?P<name>\w+)/status", self.triage),
        ]

    def projects(self, request: Request) -> Answer:
        """Respond with the projects of the key's owner."""
        found = [{"id": int(one), "uuid": f"{int(one):032x}", "name": PROJECTS.get(one, one)} for one in self._known()]
        answer = self._refuse(request, PROJECT_LIST) or _success("Projects found!", found)
        self._lists.requests[PROJECT_LIST, answer.status] += 1
        return answer

    def search(self, request: Request, query: str) -> Answer:
        """Respond to a request for one page."""
        answer = self._refuse(request, SEARCH) or self._of_project(request) or self._page(request, unquote(query))
        if self._lists.faults.first(ENCODING, path=SEARCH):
            answer = encoded(answer)
        self._lists.requests[SEARCH, answer.status] += 1
        return answer

    def triage(self, request: Request, name: str) -> Answer:
        """Set an issue's status, as an analyst does; no date changes."""
        if refused := self._simulator.refuse_key(request) or self._of_project(request):
            return refused
        try:
            status = json.loads(request.body)["status"]
        except (ValueError, LookupError, TypeError):
            status = None
        if status not in STATUSES:
            return errors.error(400, "BadRequestError", f"status must be one of {', '.join(STATUSES)}")
        project = request.headers["project-id"]
        if name not in {issue.id for issue in self.current(project)}:
            return _failure(f"Issue {name} not found")
        self.issues.triage(project, name, status)
        return _success("Issue status updated!", status)

    def current(self, project: str) -> list[Issue]:
        """Return every issue of a project as it is now."""
        now = self._simulator.clock.now().timestamp()
        return list(self.issues.current(project, now, flowing=self._lists.timeline.flowing))

    def _known(self) -> tuple[str, ...]:
        return self.settings.projects

    def _refuse(self, request: Request, path: str) -> Answer | None:
        self._lists.last_query = dict(request.query)
        if refused := self._simulator.refuse_key(request):
            return refused
        rule = self._lists.faults.first(KINDS, path=path)
        if rule is None:
            return None
        return own_answer(rule) or refuse(rule, f"list {path}", self._simulator.clock.now())

    def _of_project(self, request: Request) -> Answer | None:
        project = request.headers.get("project-id")
        if not project:
            return errors.error(400, "BadRequestError", "PROJECT-ID header is missing")
        # Clients take it for a wrong project if success is false.
        return None if project in self._known() else _failure("Project not found")

    def _page(self, request: Request, query: str) -> Answer:
        try:
            fits = read_search(query, Bounds(self.settings.inclusive))
            size = _number(request.query, "page_size", _DEFAULT)
            begin = self._begin(request, query, size)
        except BadSearchError as error:
            return _failure(str(error))
        if begin is None:
            return errors.error(400, "BadRequestError", "Invalid page_token")
        if not 1 <= size <= _LARGEST:
            return errors.error(400, "BadRequestError", f"page_size must be 1 to {_LARGEST}")
        return self._answer(request, query, begin, size, self._found(request.headers["project-id"], fits))

    def _found(self, project: str, fits: Callable[[Issue], bool]) -> list[Issue]:
        self._asked += 1
        shuffle = str(self._asked) if self.settings.unstable_ties else ""
        found = [issue for issue in self.current(project) if fits(issue)]
        # The order is ascending by last_seen (seen over three pages); that of ties is not known.
        return sorted(found, key=lambda one: (one.last_seen, sha256(f"{shuffle}{one.number}".encode()).digest()))

    def _begin(self, request: Request, query: str, size: int) -> int | None:
        """Return the first hit's position; None for a token that is not valid."""
        token = request.query.get("page_token")
        if not token:
            return _number(request.query, "page", 0) * size
        try:
            begin, issued, of = _SERIALIZER.loads(token.rstrip("."))
        except BadData:
            return None
        lifetime = self.settings.token_seconds
        expired = lifetime is not None and self._simulator.clock.now().timestamp() - issued > lifetime
        return None if expired or of != [query, request.headers["project-id"]] else int(begin)

    def _answer(self, request: Request, query: str, begin: int, size: int, found: list[Issue]) -> Answer:
        cap = self.settings.cap
        reachable = len(found) if "page_token" in request.query and self.settings.tokens_beyond_cap else cap
        page = found[begin : min(begin + size, reachable)]
        end, total = begin + len(page), min(len(found), cap)
        more = bool(page) and end < (len(found) if self.settings.tokens_beyond_cap else total)
        result: dict[str, object] = {
            "timed_out": False,
            "more": more,
            "total_pages": -(-total // size),
            "page": begin // size,
            "page_size": size,
            "total_hits": total,
            "next_page_token": self._token(end, query, request.headers["project-id"]) if more else None,
        }
        hits = b", ".join([issue.written() for issue in page])
        body = b'{"success": true, "message": "Search completed!", "result": {"hits": [%b], %b}' % (
            hits,
            json.dumps(result).encode()[1:],
        )
        return Answer(200, body, {"Content-Type": "application/json; charset=utf-8"})

    def _token(self, begin: int, query: str, project: str) -> str:
        issued = self._simulator.clock.now().timestamp()
        return str(_SERIALIZER.dumps([begin, issued, [query, project]])).ljust(_TOKEN_LENGTH, ".")


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise BadSearchError(f"{name} {text!r} is not a number")
    return int(text)


def _success(message: str, result: object) -> Answer:
    return json_answer(200, {"success": True, "message": message, "result": result})


def _failure(message: str) -> Answer:
    return json_answer(200, {"success": False, "message": message, "result": None})
