"""The demo's second half: an hour of notifications into SecOps, with scripted failures, and an hour of threat lists."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from infra.endpoints import Endpoints
from infra.local.secops.client import SecOpsControl
from infra.local.secops.log_types import local_log_type
from infra.local.virustotal.streams.client import ListsControl
from infra.trigger import trigger
from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import MeshError
from shared.feeds.definition import period_of
from shared.operations.mesh import Mesh
from shared.operations.stream_accounts import StreamAccounts, read_landings, read_pages
from shared.streams.definition import Stream, find_stream
from shared.streams.forwarded import FORWARDED_FEEDS

# How far apart the polls of an earlier hour are.
_EARLIER = (timedelta(minutes=10), timedelta(minutes=40))
NOTIFICATION_SECONDS = 30
# Google's parser wants the elements as they came, and its log type exists in every tenant.
_LISTS_LOG_TYPE = "GCP_THREATINTEL"
_OVERSIZE = 400_000
_POLL_SECONDS = 0.5


# Polls a mesh's streams as of a time.
PollAsOf = Callable[[Mesh, datetime], None]


def stream_settings(feeds: str, streams: Sequence[str], to_bigquery: Sequence[str]) -> dict[str, str]:
    """Return the settings of the forwarder; of the feeds, those go to SecOps that can."""
    return {
        "STREAMS": ",".join(dict.fromkeys((*streams, *to_bigquery))),
        "STREAMS_TO_BIGQUERY": ",".join(to_bigquery),
        "VT_DATE_FILTER": "-1h",
        # Small requests, so that an hour fills several; and an item that fits into none.
        "SECOPS_MAX_REQUEST_BYTES": "400000",
        "SECOPS_FEEDS": ",".join(name for name in feeds.split(",") if name in FORWARDED_FEEDS),
        "CHRONICLE_LOG_TYPE_THREAT_LISTS": _LISTS_LOG_TYPE,
    }


class StreamDay:
    """Scripted failures of the streams on a running mesh."""

    def __init__(self, endpoints: Endpoints, mesh: Mesh, streams: Sequence[str]) -> None:
        self._streams = tuple(streams)
        self._endpoints = endpoints
        self._mesh = mesh
        self._feeds = [name for name in mesh.settings.feeds if name in FORWARDED_FEEDS]
        self._secops = SecOpsControl(str(endpoints.secops))
        self._lists = ListsControl(str(endpoints.virustotal_control))

    def prepare(self, poll_as_of: PollAsOf) -> list[str]:
        """Inject SecOps' failures, and poll as of an hour that is complete, if any stream goes into BigQuery."""
        self._secops.set_faults(
            {"kind": "rate_limited", "after": 1, "times": 5},
            {"kind": "lost_answer", "after": 8},
        )
        streams = self._mesh.settings.streams_to_bigquery
        if not streams:
            return []
        hour = period_of(streams[0]).last_due(utc_now())
        for later in _EARLIER:
            poll_as_of(self._mesh, hour + later)
        return [f"streams: two polls as of {hour:%Y-%m-%dT%H:%MZ}, whose hour goes into BigQuery"]

    def begin(self) -> list[str]:
        """Inject the source's failures, poll, and return all descriptions."""
        self._lists.add(utc_now() - timedelta(minutes=20), padding=_OVERSIZE)
        self._lists.set_faults({"kind": "rate_limited", "path": "ioc_stream", "after": 1})
        trigger(self._endpoints, "secops-poll")
        return [
            "notifications: the quota is exceeded between two pages",
            "SecOps: five responses of 429, one after another",
            "SecOps: a response that is lost after the request was accepted",
            "SecOps: a notification that is too large for any request",
        ]

    def finish(self, check: Callable[[], None], seconds: float) -> dict[str, StreamAccounts]:
        """Wait for the deliveries, let one notification appear late, poll once more, and return the accounts."""
        self._settle(check, seconds)
        self._lists.add(utc_now() - timedelta(minutes=5))
        trigger(self._endpoints, "secops-poll")
        return self._settle(check, seconds)

    def _settle(self, check: Callable[[], None], seconds: float) -> dict[str, StreamAccounts]:
        end = time.monotonic() + seconds
        while True:
            check()
            accounts = {name: self._accounts(find_stream(name)) for name in self._streams}
            accounts |= {name: self._landings(name) for name in self._feeds}
            if not any(page.mismatch() for account in accounts.values() for page in account.pages):
                return accounts
            if time.monotonic() > end:
                raise MeshError(f"notifications are not delivered after {seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def _accounts(self, stream: Stream) -> StreamAccounts:
        accounts = StreamAccounts(read_pages(self._mesh.bucket, stream), returning=bool(stream.unversioned))
        return self._compared(accounts, local_log_type(stream.name))

    def _landings(self, feed: str) -> StreamAccounts:
        return self._compared(StreamAccounts(read_landings(self._mesh.bucket, feed)), _LISTS_LOG_TYPE)

    def _compared(self, accounts: StreamAccounts, log_type: str) -> StreamAccounts:
        seen = self._secops.stats().log_type(log_type)
        return replace(accounts, requests=seen.accepted, duplicates=seen.duplicates, accepted=seen.distinct)
