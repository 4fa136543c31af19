"""`gti-mesh up`: keep the mesh running on this machine."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values
from rich.console import Console

from infra.endpoints import Endpoints
from infra.find_mesh import local_mesh
from infra.local.contents import Contents, Source, read_contents
from infra.local.mesh import LocalMesh
from infra.local.next_steps import print_running
from infra.local.prerequisites import PubSub
from infra.local.process_specs import SimulatorOptions
from infra.topology import read_topology
from infra.trigger import trigger
from shared.contracts.minutes import last_due, utc_now
from shared.contracts.outcomes import MeshError, Misconfigured, Retryable
from shared.feeds.definition import Feed, find_feed, find_package_feed, find_stream_feed
from shared.operations.provision import open_moves, provision_mesh
from shared.runtime.settings import MeshSettings, VirusTotalSettings, read_settings
from shared.runtime.terminal import line
from shared.virustotal.check_key import feeds_without_licence
from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.errors import KeyRefused


def caller_settings(
    names: Iterable[str], environment: Mapping[str, str] = os.environ, file: Path = Path(".env")
) -> dict[str, str]:
    """Return the named settings that are in the caller's environment or `.env`."""
    try:
        given = {**dotenv_values(file), **environment}
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{file.absolute()} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    settings = {name: value for name in names if (value := given.get(name)) is not None}
    if settings.get("VT_API_URL") and not settings.get("VT_API_KEY"):
        raise Misconfigured("VT_API_URL is set and VT_API_KEY is not; set both, or neither to use the simulator")
    return settings


def provision_feeds(endpoints: Endpoints, feeds: str, say: Callable[[str], None]) -> None:
    """Provision a mesh for feeds, separated by commas; say what an operator has to do for an earlier version's."""
    mesh = local_mesh(endpoints, feeds)
    provision_mesh(mesh)
    for step in open_moves(mesh):
        say(step)


def _plan_once(endpoints: Endpoints, console: Console) -> None:
    # Before a replay is possible: the planner takes minutes in the ledger without a state of its own for a lost state.
    try:
        trigger(endpoints, "planner")
    except MeshError as error:
        console.print(line(f"  {error}; its schedule calls it again every minute"))


@dataclass(frozen=True)
class UpOptions:
    """The options of the command line; None means that of the state folder, or the default."""

    state: Path
    seed: int | None
    lines: int | None
    port: int | None
    pubsub: PubSub
    fresh: bool
    yes: bool


def run_up(options: UpOptions, settings: Mapping[str, str], console: Console) -> None:
    """Run the mesh until Ctrl-C; raise MeshError if a part ends by itself."""
    contents = wanted_contents(options, settings)
    check_key(settings, contents, console)
    console.print(line(f"starting the mesh in {options.state}"))
    with _stack(options, settings, contents, lambda text: console.print(line(f"  {text}"))) as mesh:
        _plan_once(mesh.endpoints, console)
        print_running(options.state, mesh.endpoints, contents, console)
        mesh.wait()
    console.print("stopped; the state is kept")


def _stack(
    options: UpOptions, settings: Mapping[str, str], contents: Contents, say: Callable[[str], None]
) -> LocalMesh:
    feeds = ",".join(contents.feeds)
    return LocalMesh(
        state=options.state,
        topology=read_topology(profile="local"),
        settings={"LOG_FORMAT": "text", **settings, "FEEDS": feeds, "STREAMS_TO_BIGQUERY": ",".join(contents.streams)},
        simulator=SimulatorOptions(seed=contents.source.seed or 0, lines=contents.source.lines or 0),
        fresh=options.fresh,
        pubsub=options.pubsub,
        contents=contents,
        ports={"status-page": options.port} if options.port else {},
        provision=lambda endpoints: provision_feeds(endpoints, feeds, say),
        on_progress=say,
    )


def wanted_contents(options: UpOptions, settings: Mapping[str, str]) -> Contents:
    """Return the folder's future contents; what is not given stays. Raises Misconfigured for a mixture of sources."""
    held = None if options.fresh else read_contents(options.state)
    source = _source(options, settings, held.source if held else None)
    default = MeshSettings.model_fields["package_feeds"].default
    feeds = _named(settings, "FEEDS", find_package_feed, held.feeds if held else default)
    streams = _named(settings, "STREAMS_TO_BIGQUERY", find_stream_feed, held.streams if held else ())
    contents = Contents(source=source, feeds=feeds, streams=streams, kept=True)
    if held:
        held.check(contents, options.state, yes=options.yes)
    return contents


def _named(
    settings: Mapping[str, str], setting: str, find: Callable[[str], Feed], held: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the names in a comma list, or those that the folder holds."""
    text = settings.get(setting)
    if text is None:
        return held
    return tuple(dict.fromkeys(find(name.strip()).name for name in text.split(",") if name.strip()))


def _source(options: UpOptions, settings: Mapping[str, str], held: Source | None) -> Source:
    if settings.get("VT_API_KEY"):
        return Source(api_url=_api_url(settings))
    last = held if held and not held.api_url else Source(seed=SimulatorOptions.seed, lines=SimulatorOptions.lines)
    return Source(
        seed=last.seed if options.seed is None else options.seed,
        lines=last.lines if options.lines is None else options.lines,
    )


def _api_url(settings: Mapping[str, str]) -> str:
    return str(settings.get("VT_API_URL") or VirusTotalSettings.model_fields["api_url"].default).rstrip("/")


def check_key(settings: Mapping[str, str], contents: Contents, console: Console) -> None:
    """Check key and address, then the key with the source, and print the feeds that it does not cover.

    Raises Misconfigured for a value that no service would start with, before anything is requested.
    """
    if not contents.source.api_url:
        return
    key = read_settings(VirusTotalSettings, settings).api_key
    source = VirusTotal(api_url=contents.source.api_url, key=FixedKey(key))
    feeds = [find_feed(name) for name in contents.feeds]
    try:
        refused = feeds_without_licence(source, feeds, last_due(utc_now()))
    except KeyRefused as error:
        raise Misconfigured(str(error)) from None
    except Retryable as error:
        console.print(line(f"the key cannot be checked with VirusTotal: {error}"))
        return
    if refused:
        console.print(line(f"the key has no licence for {', '.join(refused)}: its minutes will not arrive"))
    if licensed := [feed.name for feed in feeds if feed.name not in refused]:
        console.print(line(f"the key may read {', '.join(licensed)}"))
