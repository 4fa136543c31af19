"""Run the server until SIGTERM or SIGINT: gRPC on one port, its control on another, the backlog in a file."""

import argparse
import logging
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from infra.local.pubsub_server.catalog import Catalog
from infra.local.pubsub_server.control import control
from infra.local.pubsub_server.database import Database
from infra.local.pubsub_server.faults import Faults
from infra.local.pubsub_server.leases import Leases
from infra.local.pubsub_server.message_store import MessageStore
from infra.local.pubsub_server.publisher import Publisher
from infra.local.pubsub_server.push import Push
from infra.local.pubsub_server.rpc import service_handler
from infra.local.pubsub_server.subscriber import Subscriber
from infra.local.web import Server

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Every waiting pull occupies a thread.
_THREADS = 64
_EXPIRY_SECONDS = 10.0
# A publish request of the maximum 10 MB plus framing.
_OPTIONS = (("grpc.max_receive_message_length", 12_000_000), ("grpc.so_reuseport", 0))


def main() -> None:
    """Serve until stopped."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # Otherwise a thread that died would silently leave its subscription without deliveries.
    threading.excepthook = _end
    # Before any thread starts, so that no thread receives the signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    database, faults = Database(options.state), Faults()
    store = MessageStore(database, Catalog(database), faults)
    leases = Leases(store)
    push = Push(leases, concurrency=options.push_concurrency, max_pause_seconds=options.push_backoff)
    services = (Publisher(store), Subscriber(leases, push))
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
    server.add_generic_rpc_handlers([service_handler(service, faults) for service in services])
    server.add_insecure_port(f"127.0.0.1:{options.port}")
    server.start()
    Server(options.control_port, control(faults, store)).start()
    while not signal.sigtimedwait(_SIGNALS, _EXPIRY_SECONDS):
        store.delete_expired()
    server.stop(grace=None).wait()
    database.close()
    # Python would wait for the threads of waiting pulls.
    os._exit(0)


def _end(failed: threading.ExceptHookArgs) -> None:
    threading.__excepthook__(failed)
    os._exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.pubsub_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of the gRPC API")
    parser.add_argument("--control-port", type=int, required=True, help="of the control endpoint, over HTTP")
    parser.add_argument("--state", type=Path, required=True, help="SQLite file of topics, subscriptions and backlog")
    parser.add_argument("--push-concurrency", type=int, default=8, help="requests at once for each subscription (8)")
    parser.add_argument("--push-backoff", type=float, default=60.0, help="longest pause after nacks, in seconds (60)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
