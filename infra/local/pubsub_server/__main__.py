"""Run the server until SIGTERM or SIGINT: gRPC on one port, its control on another, the backlog in a file."""

import argparse
import logging
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from infra.local.pubsub_server import catalog, control, database, faults, leases, log, push, rpc, service
from infra.local.web import Server

_ENDS = (signal.SIGTERM, signal.SIGINT)
# Every pull that waits holds a thread.
_THREADS = 64
_TIDY_SECONDS = 10.0
# A publish request of Pub/Sub's 10 MB with its framing.
_OPTIONS = (("grpc.max_receive_message_length", 12_000_000), ("grpc.so_reuseport", 0))


def main() -> None:
    """Serve until told to stop."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # A thread that ended alone would leave its subscription without deliveries, and nobody would know.
    threading.excepthook = _end
    # Before any thread begins, so that none of them is interrupted.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    file, rules = database.Database(options.state), faults.Faults()
    backlog = log.Log(file, catalog.Catalog(file), rules)
    lessor = leases.Leases(backlog)
    pusher = push.Push(lessor, concurrency=options.push_concurrency, most_pause=options.push_backoff)
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
    server.add_generic_rpc_handlers(rpc.handlers(service.Service(backlog, lessor, pusher).methods(), rules))
    server.add_insecure_port(f"127.0.0.1:{options.port}")
    server.start()
    Server(options.control_port, control.control(rules, backlog)).start()
    while not signal.sigtimedwait(_ENDS, _TIDY_SECONDS):
        backlog.tidy()
    server.stop(grace=None).wait()
    file.close()
    # Python would wait for the threads of pulls that wait themselves.
    os._exit(0)


def _end(failed: threading.ExceptHookArgs) -> None:
    threading.__excepthook__(failed)
    os._exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.pubsub_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of the gRPC API")
    parser.add_argument("--control-port", type=int, required=True, help="of the control endpoint, over HTTP")
    parser.add_argument("--state", type=Path, required=True, help="SQLite file of topics, subscriptions and backlog")
    parser.add_argument("--push-concurrency", type=int, default=8, help="requests at once, a subscription (8)")
    parser.add_argument("--push-backoff", type=float, default=60.0, help="most seconds of rest after refusals (60)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
