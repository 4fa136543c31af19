"""Backlog and oldest unacked age of the subscriptions, from Cloud Monitoring.

Metrics: pubsub.googleapis.com/subscription/num_undelivered_messages and oldest_unacked_message_age (seconds)
(cloud.google.com/monitoring/api/metrics_gcp); they are sampled every minute and shown up to four minutes later.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from google.api_core import retry as retries
from google.api_core.exceptions import GoogleAPICallError, PermissionDenied, RetryError, ServiceUnavailable
from google.cloud.monitoring_v3 import ListTimeSeriesRequest, MetricServiceClient, TimeInterval

from services.console.status import SubscriptionStatus
from shared.outcomes import Misconfigured, Retryable

_BACKLOG = "pubsub.googleapis.com/subscription/num_undelivered_messages"
_OLDEST = "pubsub.googleapis.com/subscription/oldest_unacked_message_age"
_WINDOW = timedelta(minutes=10)
_TIMEOUT = 20.0
# The client's own retry goes on for 90 seconds, while a person or a page waits.
_RETRY_SECONDS = 20.0


def read_subscriptions(
    project: str,
    client: Callable[[], MetricServiceClient] = MetricServiceClient,
    *,
    retry_seconds: float = _RETRY_SECONDS,
) -> list[SubscriptionStatus]:
    """Return every subscription of the project that Cloud Monitoring has seen lately, by name."""
    service = client()
    retry = retries.Retry(predicate=retries.if_exception_type(ServiceUnavailable), timeout=retry_seconds)
    try:
        backlog, oldest = (_newest(service, project, metric, retry) for metric in (_BACKLOG, _OLDEST))
    except PermissionDenied:
        raise Misconfigured("reading Cloud Monitoring needs roles/monitoring.viewer") from None
    except (GoogleAPICallError, RetryError) as error:
        raise Retryable(f"Cloud Monitoring: {error.message}") from None
    return [SubscriptionStatus(name, backlog.get(name), oldest.get(name), "monitoring") for name in sorted(backlog)]


def _newest(service: MetricServiceClient, project: str, metric: str, retry: retries.Retry) -> dict[str, int]:
    now = datetime.now(UTC)
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
