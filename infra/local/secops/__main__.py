"""Run the simulator until SIGTERM or SIGINT: the API and its control on one port."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from infra.local.secops.api import SecOps
from infra.local.secops.control import control_routes
from infra.local.secops.errors import error
from infra.local.web import Answer, Request, Respond, Server, dispatch, json_route, serve_until_stopped


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve on a loopback port until stopped."""
    options = _options(arguments)
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s")
    serve_until_stopped(Server(options.port, responder(SecOps(keep=options.keep, journal=options.journal))))


def responder(secops: SecOps) -> Respond:
    """Return the handler of the port."""
    health = json_route("GET", "/healthz", lambda _: {"status": "ok"})
    return dispatch([health, *control_routes(secops), *secops.routes()], _unknown)


def _unknown(request: Request) -> Answer:
    return error(404, "NOT_FOUND", f"{request.method} {request.path} was not found")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.secops", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port of the API and its control")
    parser.add_argument("--keep", type=int, default=1000, help="complete logs to keep; all are counted (default: 1000)")
    parser.add_argument("--journal", type=Path, help="file that keeps accepted logs across restarts")
    parser.add_argument("--log-level", default="INFO", help="of the log on stderr (default: INFO)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
