"""Run the simulator until SIGTERM or SIGINT: the API and its control on one port."""

import argparse
import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from infra.local.secops.api import SecOps, error
from infra.local.secops.control import Control
from infra.local.web import Answer, Request, Respond, Server, dispatch, json_answer, route

log = logging.getLogger("infra.local.secops")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve on a loopback port until told to stop."""
    options = _options(arguments)
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s")
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server = Server(options.port, responder(SecOps(keep=options.keep, journal=options.journal)))
    server.start()
    log.info("listening on port %d", options.port)
    stopped.wait()
    server.stop()


def responder(secops: SecOps) -> Respond:
    """Return what answers on the port."""
    health = route("GET", "/healthz", lambda _: json_answer(200, {"status": "ok"}))
    return dispatch([health, *Control(secops).routes(), *secops.routes()], _unknown)


def _unknown(request: Request) -> Answer:
    return error(404, "NOT_FOUND", f"{request.method} {request.path} was not found")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.secops", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port of the API and its control")
    parser.add_argument("--keep", type=int, default=1000, help="logs to keep whole; all are counted (default: 1000)")
    parser.add_argument("--journal", type=Path, help="file by which what was accepted outlives the process")
    parser.add_argument("--log-level", default="INFO", help="of the log on stderr (default: INFO)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
