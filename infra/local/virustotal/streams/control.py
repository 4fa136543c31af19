"""The lists' part of the control endpoint: adds notifications, scripts faults, and says what was asked."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from infra.local.virustotal.streams.api import ListsApi
from infra.local.virustotal.streams.faults import ListRule
from infra.local.web import Answer, Request, Route, checked, json_answer, route

_RULES = TypeAdapter(list[ListRule])


class Added(BaseModel):
    """Notifications to add: how many, the first one's date in epoch seconds, the seconds between, longer snippets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: int
    count: int = Field(default=1, ge=1)
    spacing: float = Field(default=0.0, ge=0)
    padding: int = Field(default=0, ge=0)


class ListSettings(BaseModel):
    """Switches: how long a cursor lives (None: for ever), and whether the steady flow flows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cursor_seconds: float | None = None
    flowing: bool = True


class ListsControl:
    """Answers `/control/lists/...`."""

    def __init__(self, lists: ListsApi) -> None:
        self._lists = lists

    def routes(self) -> list[Route]:
        """Return the routes of the control endpoint."""
        handlers: list[tuple[str, str, Callable[[Request], Answer]]] = [
            ("PUT", "/control/lists/faults", self.write_faults),
            ("PUT", "/control/lists/settings", self.write_settings),
            ("POST", "/control/lists/notifications", self.add),
            ("GET", "/control/lists/notifications", self.read_ids),
            ("GET", "/control/lists/requests", self.read_requests),
        ]
        return [route(method, path, checked(handle)) for method, path, handle in handlers]

    def write_faults(self, request: Request) -> Answer:
        """Put these rules in force instead of all others."""
        self._lists.faults.replace(_RULES.validate_json(request.body))
        return json_answer(200, {})

    def write_settings(self, request: Request) -> Answer:
        """Set the switches."""
        settings = ListSettings.model_validate_json(request.body)
        self._lists.cursor_seconds = settings.cursor_seconds
        self._lists.timeline.flowing = settings.flowing and self._lists.timeline.interval > 0
        return json_answer(200, {})

    def add(self, request: Request) -> Answer:
        """Add notifications and return their ids."""
        added = Added.model_validate_json(request.body)
        return json_answer(200, [one.id for one in self._lists.timeline.add(**added.model_dump())])

    def read_ids(self, request: Request) -> Answer:
        """Return the ids of all notifications between two dates, whatever the API would refuse."""
        begin, end = int(request.query["begin"]), int(request.query["end"])
        return json_answer(200, [one.id for one in self._lists.timeline.notifications(end, begin, end)])

    def read_requests(self, _: Request) -> Answer:
        """Return how often each list was answered with which status, and the last query."""
        counts = [{"path": path, "status": status, "count": n} for (path, status), n in self._lists.requests.items()]
        return json_answer(200, {"requests": counts, "last_query": self._lists.last_query})
