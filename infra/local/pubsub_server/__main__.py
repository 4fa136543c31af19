"""Run the server until SIGTERM or SIGINT: gRPC on one port, its control on another, the backlog in a file."""

import argparse
import logging
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import grpc

from infra.local.pubsub_server.catalog import Catalog
from infra.local.pubsub_server.control import control
from infra.local.pubsub_server.database import Database
from infra.local.pubsub_server.faults import Faults
from infra.local.pubsub_server.leases import Leases
from infra.local.pubsub_server.log import Log
from infra.local.pubsub_server.push import Pace, Push
from infra.local.pubsub_server.service import Service
from infra.local.virustotal.web import Server

# Every pull that waits holds a thread.
_THREADS = 64
_TIDY_SECONDS = 10.0
# A publish request of Pub/Sub's 10 MB with its framing.
_OPTIONS = (("grpc.max_receive_message_length", 12_000_000), ("grpc.so_reuseport", 0))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop."""
    options = _options(arguments)
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s")
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    database, faults = Database(options.state), Faults()
    catalog = Catalog(database)
    log = Log(database, catalog, faults)
    leases = Leases(log)
    push = Push(leases, catalog, Pace(options.push_concurrency, options.push_backoff))
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
    server.add_generic_rpc_handlers(Service(catalog, log, leases, push).handlers())
    server.add_insecure_port(f"127.0.0.1:{options.port}")
    server.start()
    Server(options.control_port, control(faults, log)).start()
    while not stopped.wait(_TIDY_SECONDS):
        log.tidy()
    server.stop(grace=None).wait()
    database.close()
    # Python would wait for the threads of pulls that wait themselves.
    os._exit(0)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.pubsub_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port of the gRPC API")
    parser.add_argument("--control-port", type=int, required=True, help="port of the control endpoint, over HTTP")
    parser.add_argument("--state", type=Path, required=True, help="SQLite file of topics, subscriptions and backlog")
    parser.add_argument("--push-concurrency", type=int, default=8, help="requests at once, a subscription (default: 8)")
    parser.add_argument(
        "--push-backoff", type=float, default=60.0, help="longest rest after refused pushes, in seconds (default: 60)"
    )
    parser.add_argument("--log-level", default="INFO", help="of the log on stderr (default: INFO)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
