"""Run the simulator until SIGTERM or SIGINT: the API and its control on one port, the downloads on another."""

import argparse
import logging
import signal
from collections.abc import Sequence
from threading import Event

from infra.local.virustotal import errors
from infra.local.virustotal.api import FeedsApi
from infra.local.virustotal.control import Control
from infra.local.virustotal.download import Downloads
from infra.local.virustotal.simulator import DEFAULT_KEY, Modes, Settings, Simulator
from infra.local.virustotal.streams.api import ListsApi
from infra.local.virustotal.streams.control import ListsControl
from infra.local.web import Answer, Request, Respond, Server, dispatch, json_answer, route

log = logging.getLogger("infra.local.virustotal")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve on two loopback ports until told to stop."""
    options = _options(arguments)
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s")
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    api, download = responders(_settings(options))
    servers = [Server(options.port, api), Server(options.download_port, download)]
    for server in servers:
        server.start()
    log.info("listening on ports %d and %d", options.port, options.download_port)
    stopped.wait()
    for server in servers:
        server.stop()


def responders(settings: Settings) -> tuple[Respond, Respond]:
    """Return what answers on the API's port and what answers on the download port."""
    simulator = Simulator(settings)
    downloads = Downloads(simulator)
    health = [route("GET", "/healthz", _healthy)]
    lists = ListsApi(simulator, settings.notification_seconds)
    simulator.resets.append(lists.reset)
    control = [*Control(simulator).routes(), *ListsControl(lists).routes()]
    api = [*health, *control, *FeedsApi(simulator, downloads).routes(), *lists.routes()]
    return dispatch(api, _unknown), dispatch([*health, *downloads.routes()], _unknown)


def _healthy(_: Request) -> Answer:
    return json_answer(200, {"status": "ok"})


def _unknown(request: Request) -> Answer:
    return errors.not_found(f"{request.method} {request.path}")


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        seed=options.seed,
        lines=options.lines,
        api_key=options.api_key,
        notification_seconds=options.notification_seconds,
        download_url=f"http://127.0.0.1:{options.download_port}",
        modes=Modes(direct=options.direct, ranges=not options.no_ranges),
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.virustotal", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port of the API and its control")
    parser.add_argument("--download-port", type=int, required=True, help="port that redirects lead to")
    parser.add_argument("--seed", default="1", help="any text; the same seed always gives the same lines")
    parser.add_argument("--lines", type=int, default=60, help="lines a minute, exactly (default: 60)")
    parser.add_argument("--api-key", default=DEFAULT_KEY, help=f"the key to accept (default: {DEFAULT_KEY})")
    parser.add_argument("--direct", action="store_true", help="answer 200 with the body, not 302")
    parser.add_argument("--no-ranges", action="store_true", help="ignore Range on the download port")
    parser.add_argument(
        "--notification-seconds", type=int, default=60, help="seconds between two of ioc_stream; 0: none by itself"
    )
    parser.add_argument("--log-level", default="INFO", help="of the log on stderr (default: INFO)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
