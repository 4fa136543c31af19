"""Pub/Sub for tests: a server of its own, a receiver of pushes, publishing by hand, reading what is kept."""

import json
import subprocess
import warnings
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

from infra.local.endpoints import Endpoints
from infra.local.process import Part
from tests.waiting import wait_until

_TIMEOUT = 10.0


@contextmanager
def running(part: Part, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Pub/Sub server until the block ends."""
    with (folder / "pubsub.log").open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            part.command, env=dict(part.environment), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: part.ready() or process.poll() is not None, 30, "an answer from Pub/Sub")
        assert process.poll() is None, (folder / "pubsub.log").read_text()
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def clients(address: str) -> Iterator[tuple[PublisherClient, SubscriberClient]]:
    """Give Google's clients for a server on this machine."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield (
            PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
            SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)),
        )


def publish(at: Endpoints, topic: str, data: bytes, **attributes: str) -> None:
    """Publish one message."""
    with clients(at.pubsub) as (publisher, _):
        message = PubsubMessage(data=data, attributes=attributes)
        publisher.publish(topic=f"projects/{at.project}/topics/{topic}", messages=[message], timeout=_TIMEOUT)


def pull_now(subscriber: SubscriberClient, subscription: str, most: int = 100) -> list[ReceivedMessage]:
    """Return what can be had without waiting; it stays leased for the subscription's deadline."""
    request = {"subscription": subscription, "max_messages": most, "return_immediately": True}
    with warnings.catch_warnings():
        # Google discourages the field in production, for which it is slow.
        warnings.simplefilter("ignore", DeprecationWarning)
        return list(subscriber.pull(request=request, timeout=_TIMEOUT).received_messages)


def kept(at: Endpoints, subscription: str) -> list[PubsubMessage]:
    """Return messages that a subscription holds."""
    with clients(at.pubsub) as (_, subscriber):
        received = pull_now(subscriber, f"projects/{at.project}/subscriptions/{subscription}")
    return [one.message for one in received]


class Receiver:
    """An endpoint for pushes: keeps what it gets, and answers as `status` says of each."""

    def __init__(self, status: Callable[[str], int]) -> None:
        self.got: list[dict[str, Any]] = []
        received = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.got.append(body)
                self.send_response(status(text_of(body)))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    @property
    def texts(self) -> list[str]:
        """Return the bodies of all messages so far."""
        return [text_of(body) for body in self.got]

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiver(status: Callable[[str], int] = lambda _: 204) -> Iterator[Receiver]:
    """Run an endpoint for pushes."""
    found = Receiver(status)
    try:
        yield found
    finally:
        found.close()


def text_of(push: dict[str, Any]) -> str:
    """Return the body of a pushed message."""
    return b64decode(push["message"].get("data", "")).decode()
