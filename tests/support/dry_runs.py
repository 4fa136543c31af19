"""BigQuery's answers to dry runs, below Google's real client."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from shared.streams.definition import look_up
from tests.support.google_double import Answer, Asked, GoogleDouble, refused

PROJECT = "p1"
_HOST = "https://bigquery.googleapis.com"
_API = f"bigquery.googleapis.com/bigquery/v2/projects/{PROJECT}"
_TABLE = re.compile(rf"`{PROJECT}\.vt_feeds\.(\w+)`")
_DAY = timedelta(days=1)


class DryRuns:
    """A dataset in which each table has some bytes a day, of which a query that is bounded by a time reads the last.

    The least time among a query's parameters bounds it: that is coarser than BigQuery, and as monotonic. Statements
    that would run are refused.
    """

    def __init__(self, bytes_a_day: Mapping[str, int], days: int, now: datetime, expires_after: int = 0) -> None:
        self._bytes_a_day = bytes_a_day
        self._days = days
        self._now = now
        self.estimated: list[str] = []
        self.sizes: list[int] = []
        self._double = GoogleDouble({f"POST {_API}/jobs": self._job})
        expiry = {"expirationMs": str(expires_after * 86_400_000)} if expires_after else {}
        for name in bytes_a_day:
            reference = {"projectId": PROJECT, "datasetId": "vt_feeds", "tableId": name}
            kind = "VIEW" if name.endswith("_current") else "TABLE"
            partitioning = {"type": "HOUR", **expiry}
            found = {"tableReference": reference, "type": kind, "timePartitioning": partitioning}
            self._double.answers[f"GET {_API}/datasets/vt_feeds/tables/{name}"] = found

    def client(self) -> bigquery.Client:
        """Return Google's client of this dataset."""
        session = requests.Session()
        session.mount("https://", self._double)
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        return bigquery.Client(
            project=PROJECT, credentials=credentials, _http=session, client_options={"api_endpoint": _HOST}
        )

    def _job(self, asked: Asked) -> Answer:
        if not look_up(asked.body, "configuration.dryRun"):
            return refused(403, "only dry runs are free")
        sql = str(look_up(asked.body, "configuration.query.query"))
        self.estimated.append(sql)
        names = _TABLE.findall(sql)
        if missing := [name for name in names if name not in self._bytes_a_day]:
            return refused(404, f"Not found: Table {PROJECT}:vt_feeds.{missing[0]}")
        self.sizes.append(round(sum(map(self._bytes_a_day.__getitem__, names)) * self._days_read(asked.body)))
        size = {"totalBytesProcessed": str(self.sizes[-1])}
        return {
            "configuration": look_up(asked.body, "configuration"),
            "jobReference": {"projectId": PROJECT, "jobId": "j"},
            "status": {"state": "DONE"},
            "statistics": {**size, "query": size},
        }

    def _days_read(self, body: object) -> float:
        given = look_up(body, "configuration.query.queryParameters")
        assert isinstance(given, list)
        times = [
            datetime.fromisoformat(str(look_up(one, "parameterValue.value")))
            for one in given
            if look_up(one, "parameterType.type") == "TIMESTAMP"
        ]
        return min([self._days, *((self._now - time) / _DAY for time in times)])
