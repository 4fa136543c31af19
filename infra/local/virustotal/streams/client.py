"""A client of the lists' control, for tests and for the demo."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from infra.local.faults.client import FaultsControl


class ListsControl(FaultsControl):
    """Scripts the lists of a running simulator."""

    control_path: ClassVar[str] = "control/lists"

    def set_settings(
        self,
        *,
        cursor_seconds: float | None = None,
        positional: bool = False,
        trailing_link: bool = False,
        flowing: bool = True,
    ) -> None:
        """Set the lifetime of cursors, their kind, a link on the last page of alerts, and whether items flow."""
        settings = {
            "cursor_seconds": cursor_seconds,
            "positional": positional,
            "trailing_link": trailing_link,
            "flowing": flowing,
        }
        self._call("PUT", "settings", json=settings)

    def add(
        self, date: datetime, *, count: int = 1, spacing: float = 0.0, padding: int = 0, text: str | None = None
    ) -> list[str]:
        """Add notifications and return their ids; a text replaces their content, with `$ID` filled in."""
        body = {"date": int(date.timestamp()), "count": count, "spacing": spacing, "padding": padding, "text": text}
        ids: list[str] = self._call("POST", "notifications", json=body).json()
        return ids

    def add_alerts(self, date: datetime, *, count: int = 1, spacing: float = 0.0) -> list[str]:
        """Add alerts and return their ids; the API itself changes them."""
        body = {"date": date.timestamp(), "count": count, "spacing": spacing}
        ids: list[str] = self._call("POST", "alerts", json=body).json()
        return ids

    def alerts(self) -> dict[str, str]:
        """Return updated_at of every alert by its id."""
        found: dict[str, str] = self._call("GET", "alerts").json()
        return found

    def collections(self, kind: str) -> dict[str, int]:
        """Return the latest modification of every collection of a type by its id, in epoch seconds."""
        found: dict[str, int] = self._call("GET", f"collections?type={kind}").json()
        return found

    def set_issue_settings(self, **settings: object) -> None:
        """Set the settings of the search of issues, as IssueSettings has them; what is not given has its default."""
        self._call("PUT", "issues/settings", json=settings)

    def add_issues(
        self, project: str, date: datetime, *, count: int = 1, spacing: float = 0.0, old: bool = False
    ) -> list[str]:
        """Add issues to a project and return their ids; the API itself triages them."""
        body = {"project": project, "date": date.timestamp(), "count": count, "spacing": spacing, "old": old}
        ids: list[str] = self._call("POST", "issues", json=body).json()
        return ids

    def see_issues(self, project: str, names: Sequence[str], date: datetime) -> None:
        """Let a scan see issues again: their last_seen moves, and nothing else changes."""
        self._call("POST", "issues/seen", json={"project": project, "names": names, "date": date.timestamp()})

    def issues(self, project: str) -> dict[str, tuple[str | None, str]]:
        """Return status and last_seen of every issue of a project by its id."""
        found = self._call("GET", f"issues?project={project}").json()
        return {name: (status, seen) for name, (status, seen) in found.items()}

    def ids(self, begin: datetime, end: datetime) -> set[str]:
        """Return the ids of all notifications between two times."""
        span = f"notifications?begin={int(begin.timestamp())}&end={int(end.timestamp())}"
        return set(self._call("GET", span).json())

    def requests(self, path: str = "ioc_stream") -> Counter[int]:
        """Return the number of a list's responses, by status."""
        rows = self._call("GET", "requests").json()["requests"]
        return Counter({row["status"]: row["count"] for row in rows if row["path"] == path})

    def last_query(self) -> dict[str, str]:
        """Return the parsed parameters of the last request."""
        query: dict[str, str] = self._call("GET", "requests").json()["last_query"]
        return query
