"""The demo's second half: an hour of notifications into SecOps, through a bad day of its own."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from infra.local.endpoints import Endpoints
from infra.local.secops.client import SecOpsControl
from infra.local.virustotal.streams.client import ListsControl
from services.console.mesh import Mesh
from services.console.stream_accounts import StreamAccounts, read_pages
from services.console.trigger import trigger
from shared.outcomes import MeshError
from shared.streams import Stream, find_stream

STREAMS = ("ioc_stream", "vulnerabilities")
# Small requests, so that an hour fills several; and an item that fits into none.
SETTINGS = {"STREAMS": ",".join(STREAMS), "VT_DATE_FILTER": "-1h", "SECOPS_MAX_REQUEST_BYTES": "400000"}
NOTIFICATION_SECONDS = 30
_OVERSIZE = 400_000
_POLL_SECONDS = 0.5


class StreamDay:
    """A bad day of the streams on a running mesh."""

    def __init__(self, endpoints: Endpoints, mesh: Mesh) -> None:
        self._endpoints = endpoints
        self._mesh = mesh
        self._secops = SecOpsControl(str(endpoints.secops))
        self._lists = ListsControl(str(endpoints.virustotal_control))

    def begin(self) -> list[str]:
        """Put the mishaps in force, poll, and return the mishaps in words."""
        self._lists.add(datetime.now(UTC) - timedelta(minutes=20), padding=_OVERSIZE)
        self._lists.set_faults({"kind": "rate_limited", "path": "ioc_stream", "after": 1})
        self._secops.set_faults(
            {"kind": "rate_limited", "after": 1, "times": 5},
            {"kind": "lost_answer", "after": 8},
        )
        trigger(self._endpoints, "secops-poll")
        return [
            "notifications: the quota is exceeded between two pages",
            "SecOps: five answers of 429, one after the other",
            "SecOps: an answer that is lost after the request was accepted",
            "SecOps: a notification that is too large for any request",
        ]

    def finish(self, check: Callable[[], None], seconds: float) -> dict[str, StreamAccounts]:
        """Wait for the deliveries, let one notification appear late, poll once more, and return the accounts."""
        self._settle(check, seconds)
        self._lists.add(datetime.now(UTC) - timedelta(minutes=5))
        trigger(self._endpoints, "secops-poll")
        return self._settle(check, seconds)

    def _settle(self, check: Callable[[], None], seconds: float) -> dict[str, StreamAccounts]:
        end = time.monotonic() + seconds
        while True:
            check()
            accounts = {name: self._accounts(find_stream(name)) for name in STREAMS}
            if not any(page.mismatch() for account in accounts.values() for page in account.pages):
                return accounts
            if time.monotonic() > end:
                raise MeshError(f"notifications are not delivered after {seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def _accounts(self, stream: Stream) -> StreamAccounts:
        accounts = StreamAccounts(read_pages(self._mesh.bucket, stream))
        seen = self._secops.stats().log_type(stream.log_type)
        return replace(accounts, requests=seen.accepted, duplicates=seen.duplicates, accepted=seen.distinct)
