"""Run the simulator until SIGTERM or SIGINT: the API and its control on one port, the downloads on another."""

import argparse
import logging
from collections.abc import Sequence

from infra.local.virustotal import errors
from infra.local.virustotal.api import FeedsApi
from infra.local.virustotal.clock import dated
from infra.local.virustotal.control import Control
from infra.local.virustotal.download import Downloads
from infra.local.virustotal.simulator import DEFAULT_KEY, Modes, Settings, Simulator
from infra.local.virustotal.streams.alerts_api import AlertsApi
from infra.local.virustotal.streams.api import ListsApi
from infra.local.virustotal.streams.control import ListsControl
from infra.local.virustotal.streams.issues_api import IssuesApi
from infra.local.virustotal.streams.pace import Pace
from infra.local.virustotal.threat_lists.api import ThreatListsApi
from infra.local.virustotal.threat_lists.control import control_routes
from infra.local.web import Answer, Request, Respond, Server, dispatch, json_route, serve_until_stopped


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve on two loopback ports until stopped."""
    options = _options(arguments)
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s")
    api, download = responders(_settings(options))
    serve_until_stopped(Server(options.port, api), Server(options.download_port, download))


def responders(settings: Settings) -> tuple[Respond, Respond]:
    """Return the handlers of the API's port and of the download port."""
    simulator = Simulator(settings)
    downloads = Downloads(simulator)
    health = [json_route("GET", "/healthz", lambda _: {"status": "ok"})]
    lists = ListsApi(simulator, settings.notification_seconds)
    alerts = AlertsApi(simulator, lists)
    issues = IssuesApi(simulator, lists)
    threat_lists = ThreatListsApi(simulator)
    simulator.resets += [lists.reset, alerts.reset, issues.reset, threat_lists.reset]
    control = [
        *Control(simulator).routes(),
        *ListsControl(lists, alerts, issues).routes(),
        *control_routes(threat_lists),
    ]
    feeds = FeedsApi(simulator, downloads)
    streams = [*lists.routes(), *alerts.routes(), *issues.routes()]
    api = [*health, *control, *feeds.routes(), *streams, *threat_lists.routes()]
    foreign = [*health, *downloads.routes(), *alerts.foreign_routes()]
    ports = dispatch(api, _unknown), dispatch(foreign, _unknown)
    return dated(ports[0], simulator.clock), dated(ports[1], simulator.clock)


def _unknown(request: Request) -> Answer:
    return errors.not_found(f"{request.method} {request.path}")


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        seed=options.seed,
        lines=options.lines,
        api_key=options.api_key,
        notification_seconds=options.notification_seconds,
        pace=Pace(options.pace, options.since),
        download_url=f"http://127.0.0.1:{options.download_port}",
        modes=Modes(direct=options.direct, ranges=not options.no_ranges),
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.virustotal", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port of the API and its control")
    parser.add_argument("--download-port", type=int, required=True, help="port that redirects lead to")
    parser.add_argument("--seed", default="1", help="any text; the same seed always makes the same lines")
    parser.add_argument("--lines", type=int, default=60, help="lines per minute (default: 60)")
    parser.add_argument("--api-key", default=DEFAULT_KEY, help=f"the key to accept (default: {DEFAULT_KEY})")
    parser.add_argument("--direct", action="store_true", help="respond with 200 and the body instead of 302")
    parser.add_argument("--no-ranges", action="store_true", help="ignore Range on the download port")
    parser.add_argument(
        "--notification-seconds", type=int, default=60, help="seconds between two notifications of ioc_stream; 0: none"
    )
    parser.add_argument("--pace", type=float, default=1.0, help="how fast alerts, issues and collections change")
    parser.add_argument(
        "--since",
        type=float,
        default=0.0,
        help="epoch seconds before which nothing flows",
    )
    parser.add_argument("--log-level", default="INFO", help="of the log on stderr (default: INFO)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
