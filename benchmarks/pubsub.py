"""Measure the embedded Pub/Sub on this machine: `python -m benchmarks.pubsub [--waiting N]`."""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PubsubMessage, PushConfig

from infra.local.tcp_ports import HOST, free_ports
from tests.contract.pubsub_servers import PubSub, embedded
from tests.support.pubsub import clients, pull_now, running
from tests.support.pubsub_control import PubSubControl

PUBLISHED, PUSHED = 50_000, 5_000
_BATCH = 500
_BODY = b'{"feed":"domains","minute":"2026-11-21T14:10:00Z","reason":"schedule","force":false}'
_ANSWER = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Endpoint(asyncio.Protocol):
    """Answer 204 to everything, as fast as Python can, so that the server is the bottleneck."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer at the end of a body, which arrives with its headers or after them."""
        if data.endswith(b"}"):
            self._transport.write(_ANSWER)


def listen(port: int) -> None:
    """Run a push endpoint until the process is ended."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Endpoint, HOST, port)
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def endpoint() -> Iterator[str]:
    """Run an endpoint in a separate process."""
    [port] = free_ports(1)
    process = multiprocessing.Process(target=listen, args=(port,), daemon=True)
    process.start()
    try:
        yield f"http://{HOST}:{port}/"
    finally:
        process.kill()


def publish(publisher: PublisherClient, topic: str, count: int) -> float:
    """Publish messages in batches with two concurrent requests, and return the rate per second."""
    began = time.perf_counter()
    batch = [PubsubMessage(data=_BODY, attributes={"feed": "domains"})] * _BATCH

    def send(_: int) -> None:
        publisher.publish(topic=topic, messages=batch, timeout=60)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, range(count // _BATCH)))
    return count / (time.perf_counter() - began)


def push(server: PubSub) -> float:
    """Push a backlog to an endpoint, and return the rate of acknowledged messages per second."""
    topic = server.topic()
    with endpoint() as url:
        subscription = server.subscribe(topic)
        publish(server.publisher, topic, PUSHED)
        control = PubSubControl(server.control)
        began = time.perf_counter()
        server.subscriber.modify_push_config(subscription=subscription, push_config=PushConfig(push_endpoint=url))
        while left := control.backlog()[subscription].messages:
            time.sleep(0.05)
        assert left == 0
        return PUSHED / (time.perf_counter() - began)


def measure(waiting: int) -> Iterator[tuple[str, str, bool]]:
    """Yield each measurement, its value, and whether it meets the project's promise."""
    with tempfile.TemporaryDirectory() as folder:
        ports = free_ports(2)
        part = embedded(Path(folder), ports)
        began = time.perf_counter()
        with running(part, Path(folder)) as process, clients(f"{HOST}:{ports[0]}") as (publisher, subscriber):
            yield "start-up, s", f"{(took := time.perf_counter() - began):.2f}", took < 1.0
            server = PubSub(publisher, subscriber, f"{HOST}:{ports[0]}", f"http://{HOST}:{ports[1]}")
            topic = server.topic()
            subscription = server.subscribe(topic)
            yield "published, messages/s", f"{(rate := publish(publisher, topic, PUBLISHED)):,.0f}", rate >= 5_000
            yield "pushed, messages/s", f"{(rate := push(server)):,.0f}", rate >= 500
            before = resident(process.pid)
            publish(publisher, topic, waiting)
            after = resident(process.pid)
            yield f"memory with {waiting + PUBLISHED:,} waiting, MiB", f"{after} (before: {before})", after < 200
            yield (
                "pull of 1,000 from among them, s",
                f"{timed(lambda: pull_now(subscriber, subscription, 1000)):.2f}",
                True,
            )


def resident(pid: int) -> int:
    """Return the resident memory of a process in MiB."""
    return int(psutil.Process(pid).memory_info().rss / 2**20)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Print every figure; exit 1 when one does not meet the project's promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000, help="messages waiting when memory is measured")
    kept = True
    for what, value, good in measure(parser.parse_args().waiting):
        print(f"{what:<45} {value}{'' if good else '   TOO SLOW OR TOO BIG'}", flush=True)  # noqa: T201
        kept = kept and good
    raise SystemExit(0 if kept else 1)


if __name__ == "__main__":
    main()
