"""The lists' part of the control endpoint: adds notifications, scripts faults, and reports requests."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from infra.local.faults.routes import fault_routes
from infra.local.virustotal.streams.alerts_api import AlertsApi
from infra.local.virustotal.streams.api import ListsApi
from infra.local.virustotal.streams.faults import ListRule
from infra.local.virustotal.streams.issues import written
from infra.local.virustotal.streams.issues_api import IssuesApi, IssueSettings
from infra.local.web import Answer, Request, Route, checked, json_answer, route


class Added(BaseModel):
    """Notifications to add: their number, the first date in epoch seconds, the seconds between, padding of snippets.

    A text replaces the whole content of each, valid or not, with `$ID` replaced by its id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: int
    count: int = Field(default=1, ge=1)
    spacing: float = Field(default=0.0, ge=0)
    padding: int = Field(default=0, ge=0)
    text: str | None = None


class ListSettings(BaseModel):
    """The lifetime of cursors (None: for ever), their kind, and whether notifications arrive by themselves.

    A positional cursor is a number of items to skip, so that an item is missed if one before it moves away. A trailing
    link leads from the last page of alerts to an empty one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cursor_seconds: float | None = None
    positional: bool = False
    trailing_link: bool = False
    flowing: bool = True


class AddedAlerts(BaseModel):
    """Alerts to add: their number, the time of the first in epoch seconds, and the seconds between."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: float
    count: int = Field(default=1, ge=1)
    spacing: float = Field(default=0.0, ge=0)


class AddedIssues(BaseModel):
    """Issues to add to a project: their number, when the first was seen in epoch seconds, and the seconds between.

    Old ones have no uid and a null status.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str
    date: float
    count: int = Field(default=1, ge=1)
    spacing: float = Field(default=0.0, ge=0)
    old: bool = False


class SeenIssues(BaseModel):
    """Issues of a project that a scan sees again at a time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str
    names: tuple[str, ...]
    date: float


class ListsControl:
    """Handles `/control/lists/...`."""

    def __init__(self, lists: ListsApi, alerts: AlertsApi, issues: IssuesApi) -> None:
        self._lists = lists
        self._alerts = alerts
        self._issues = issues

    def routes(self) -> list[Route]:
        """Return the routes of the control endpoint."""
        handlers: list[tuple[str, str, Callable[[Request], Answer]]] = [
            ("PUT", "/control/lists/settings", self.write_settings),
            ("POST", "/control/lists/notifications", self.add),
            ("GET", "/control/lists/notifications", self.read_ids),
            ("GET", "/control/lists/requests", self.read_requests),
            ("POST", "/control/lists/alerts", self.add_alerts),
            ("GET", "/control/lists/alerts", self.read_alerts),
            ("GET", "/control/lists/collections", self.read_collections),
            ("PUT", "/control/lists/issues/settings", self.write_issue_settings),
            ("POST", "/control/lists/issues", self.add_issues),
            ("POST", "/control/lists/issues/seen", self.see_issues),
            ("GET", "/control/lists/issues", self.read_issues),
        ]
        routes = [route(method, path, checked(handle)) for method, path, handle in handlers]
        return [*fault_routes(self._lists.faults, ListRule, "/control/lists/faults"), *routes]

    def write_settings(self, request: Request) -> Answer:
        """Set the settings."""
        settings = ListSettings.model_validate_json(request.body)
        self._lists.cursor_seconds = settings.cursor_seconds
        self._lists.positional = settings.positional
        self._alerts.trailing_link = settings.trailing_link
        self._lists.timeline.flowing = settings.flowing and self._lists.timeline.interval > 0
        return json_answer(200, {})

    def add(self, request: Request) -> Answer:
        """Add notifications and return their ids."""
        added = Added.model_validate_json(request.body)
        return json_answer(200, [one.id for one in self._lists.timeline.add(**added.model_dump())])

    def add_alerts(self, request: Request) -> Answer:
        """Add alerts and return their ids."""
        return json_answer(200, self._alerts.alerts.add(**AddedAlerts.model_validate_json(request.body).model_dump()))

    def read_alerts(self, _: Request) -> Answer:
        """Return updated_at of every alert by its id, regardless of faults."""
        return json_answer(200, {one.id: one.updated_at for one in self._alerts.current()})

    def read_collections(self, request: Request) -> Answer:
        """Return the latest modification of every collection of a type by its id, regardless of faults."""
        every = self._lists.collections(request.query["type"], 0, 2**62)
        return json_answer(200, {one.id: one.date for one in every})

    def write_issue_settings(self, request: Request) -> Answer:
        """Set the settings of the search of issues."""
        self._issues.settings = IssueSettings.model_validate_json(request.body)
        return json_answer(200, {})

    def add_issues(self, request: Request) -> Answer:
        """Add issues and return their ids."""
        added = AddedIssues.model_validate_json(request.body)
        return json_answer(200, self._issues.issues.add(**added.model_dump()))

    def see_issues(self, request: Request) -> Answer:
        """Let a scan see issues again."""
        seen = SeenIssues.model_validate_json(request.body)
        self._issues.issues.see(seen.project, seen.names, seen.date)
        return json_answer(200, {})

    def read_issues(self, request: Request) -> Answer:
        """Return the status and last_seen of every issue of a project by its id, regardless of faults."""
        every = self._issues.current(request.query["project"])
        return json_answer(200, {one.id: [one.status, written(one.last_seen)] for one in every})

    def read_ids(self, request: Request) -> Answer:
        """Return the ids of all notifications between two dates, regardless of faults."""
        begin, end = int(request.query["begin"]), int(request.query["end"])
        return json_answer(200, [one.id for one in self._lists.timeline.notifications(end, begin, end)])

    def read_requests(self, _: Request) -> Answer:
        """Return the number of responses by list and status, and the last query."""
        counts = [{"path": path, "status": status, "count": n} for (path, status), n in self._lists.requests.items()]
        return json_answer(200, {"requests": counts, "last_query": self._lists.last_query})
