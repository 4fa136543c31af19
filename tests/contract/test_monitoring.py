"""Backlog and age from Cloud Monitoring: Google's real client against a fake of its service."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import grpc
import pytest
from google.cloud.monitoring_v3 import (
    ListTimeSeriesRequest,
    ListTimeSeriesResponse,
    MetricServiceClient,
    Point,
    TimeSeries,
    TypedValue,
)
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport

from shared.contracts.outcomes import Misconfigured, Retryable
from shared.operations.subscriptions import SubscriptionStatus, read_subscriptions

Handler: TypeAlias = "grpc.RpcMethodHandler[ListTimeSeriesRequest, ListTimeSeriesResponse]"
Connect = Callable[[], MetricServiceClient]


class MetricService(grpc.GenericRpcHandler):
    """Cloud Monitoring with two metrics of two subscriptions; a status makes every call fail with it."""

    def __init__(self) -> None:
        self.newest = {
            "num_undelivered_messages": {"downloader": [7, 9], "loader": [0]},
            "oldest_unacked_message_age": {"downloader": [61]},
        }
        self.status: grpc.StatusCode | None = None
        self.asked: list[ListTimeSeriesRequest] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        """Answer every method as ListTimeSeries."""
        return grpc.unary_unary_rpc_method_handler(
            self._list,
            request_deserializer=ListTimeSeriesRequest.deserialize,
            response_serializer=ListTimeSeriesResponse.serialize,
        )

    def _list(self, request: ListTimeSeriesRequest, context: grpc.ServicerContext) -> ListTimeSeriesResponse:
        self.asked.append(request)
        if self.status:
            context.abort(self.status, "said the double")
        values = next(found for metric, found in self.newest.items() if metric in request.filter)
        series = [
            TimeSeries(
                resource={"labels": {"subscription_id": name}},
                points=[Point(value=TypedValue(int64_value=value)) for value in points],
            )
            for name, points in values.items()
        ]
        return ListTimeSeriesResponse(time_series=series)


@pytest.fixture
def service() -> MetricService:
    """Return a fake service."""
    return MetricService()


@pytest.fixture
def connect(service: MetricService) -> Iterator[Connect]:
    """Serve the fake over gRPC and return Google's client of it."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2), handlers=[service])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    yield lambda: MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel))
    channel.close()
    server.stop(grace=None)


def test_the_newest_point_of_each_subscription_counts(service: MetricService, connect: Connect) -> None:
    """Points come newest first, and the first counts; a subscription without an age has none."""
    assert read_subscriptions("p", connect) == [
        SubscriptionStatus("downloader", 7, 61, "monitoring"),
        SubscriptionStatus("loader", 0, None, "monitoring"),
    ]
    assert {request.name for request in service.asked} == {"projects/p"}


def test_only_the_subscriptions_of_this_mesh_are_returned(service: MetricService, connect: Connect) -> None:
    """When several meshes share a project, figures are reported under the names of the topology."""
    service.newest["num_undelivered_messages"]["eu-loader"] = [3]
    assert read_subscriptions("p", connect, prefix="eu-") == [SubscriptionStatus("loader", 3, None, "monitoring")]


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, Misconfigured, "roles/monitoring.viewer"),
        (grpc.StatusCode.INTERNAL, Retryable, "Cloud Monitoring"),
        (grpc.StatusCode.UNAVAILABLE, Retryable, "Cloud Monitoring"),
    ],
)
def test_what_is_wrong_is_said(
    service: MetricService, connect: Connect, status: grpc.StatusCode, error: type[Exception], text: str
) -> None:
    """A missing right is reported with the role; any other error is one of the service."""
    service.status = status
    with pytest.raises(error, match=text):
        read_subscriptions("p", connect, retry_seconds=0.5)
