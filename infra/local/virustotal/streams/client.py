"""A client of the lists' control, for tests and for the demo."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from requests import Response

from infra.local.calling import call


class ListsControl:
    """Scripts the lists of a running simulator."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def set_faults(self, *rules: Mapping[str, object]) -> None:
        """Put these faults in force instead of all others."""
        self._call("PUT", "faults", json=rules)

    def set_settings(self, *, cursor_seconds: float | None = None, flowing: bool = True) -> None:
        """Say how long a cursor lives, and whether notifications come by themselves."""
        self._call("PUT", "settings", json={"cursor_seconds": cursor_seconds, "flowing": flowing})

    def add(self, date: datetime, *, count: int = 1, spacing: float = 0.0, padding: int = 0) -> list[str]:
        """Add notifications and return their ids."""
        body = {"date": int(date.timestamp()), "count": count, "spacing": spacing, "padding": padding}
        ids: list[str] = self._call("POST", "notifications", json=body).json()
        return ids

    def ids(self, begin: datetime, end: datetime) -> set[str]:
        """Return the ids of all notifications between two moments."""
        span = f"notifications?begin={int(begin.timestamp())}&end={int(end.timestamp())}"
        return set(self._call("GET", span).json())

    def requests(self, path: str = "ioc_stream") -> Counter[int]:
        """Return how often a list was answered, by status."""
        rows = self._call("GET", "requests").json()["requests"]
        return Counter({row["status"]: row["count"] for row in rows if row["path"] == path})

    def last_query(self) -> dict[str, str]:
        """Return the parameters of the last request, as they were understood."""
        query: dict[str, str] = self._call("GET", "requests").json()["last_query"]
        return query

    def _call(self, method: str, path: str, *, json: object = None) -> Response:
        return call(method, f"{self._url}/control/lists/{path}", json=json)
