"""Backlog and oldest unacked age of the subscriptions, from Cloud Monitoring.

Metrics: pubsub.googleapis.com/subscription/num_undelivered_messages and oldest_unacked_message_age (seconds)
(cloud.google.com/monitoring/api/metrics_gcp); they are sampled every minute and visible up to four minutes later.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from google.api_core import retry as retries
from google.api_core.exceptions import GoogleAPICallError, PermissionDenied, RetryError, ServiceUnavailable
from google.cloud.monitoring_v3 import ListTimeSeriesRequest, MetricServiceClient, TimeInterval

from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import Misconfigured, Retryable

_BACKLOG = "pubsub.googleapis.com/subscription/num_undelivered_messages"
_OLDEST = "pubsub.googleapis.com/subscription/oldest_unacked_message_age"
_WINDOW = timedelta(minutes=10)
_TIMEOUT = 20.0
# The client's default retry runs for 90 seconds, too long for a command or a page.
_RETRY_SECONDS = 20.0


@dataclass(frozen=True)
class SubscriptionStatus:
    """A subscription's backlog: messages, and the age of the oldest in seconds; None if unknown."""

    name: str
    backlog: int | None
    oldest_unacked_seconds: int | None
    source: str


def read_subscriptions(
    project: str,
    client: Callable[[], MetricServiceClient] = MetricServiceClient,
    *,
    prefix: str = "",
    retry_seconds: float = _RETRY_SECONDS,
) -> list[SubscriptionStatus]:
    """Return the project's subscriptions with recent metrics in Cloud Monitoring, by name.

    With a prefix only those of the mesh with that prefix are returned, and their names are without it.
    """
    service = client()
    retry = retries.Retry(predicate=retries.if_exception_type(ServiceUnavailable), timeout=retry_seconds)
    try:
        backlog, oldest = (_newest(service, project, metric, retry) for metric in (_BACKLOG, _OLDEST))
    except PermissionDenied:
        raise Misconfigured("reading Cloud Monitoring needs roles/monitoring.viewer") from None
    except (GoogleAPICallError, RetryError) as error:
        raise Retryable(f"Cloud Monitoring: {error.message}") from None
    return [
        SubscriptionStatus(name.removeprefix(prefix), backlog.get(name), oldest.get(name), "monitoring")
        for name in sorted(backlog)
        if name.startswith(prefix)
    ]


def _newest(service: MetricServiceClient, project: str, metric: str, retry: retries.Retry) -> dict[str, int]:
    now = utc_now()
    request = ListTimeSeriesRequest(
        name=f"projects/{project}",
        filter=f'metric.type = "{metric}"',
        interval=TimeInterval(start_time=now - _WINDOW, end_time=now),
        view=ListTimeSeriesRequest.TimeSeriesView.FULL,
    )
    series = service.list_time_series(request=request, timeout=_TIMEOUT, retry=retry)
    # Points come newest first.
    return {
        one.resource.labels["subscription_id"]: int(one.points[0].value.int64_value) for one in series if one.points
    }
