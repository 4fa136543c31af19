"""The image without a container engine: its build steps run in folders, every service starts, a minute is merged."""

import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import requests

from infra.endpoints import Endpoints
from infra.local.orphan_reaper import signal_group
from infra.local.process_specs import answers
from infra.local.pubsub import create_subscriptions, create_topics
from infra.local.tcp_ports import HOST, free_ports
from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.topology import Service, Topology, read_topology
from shared.contracts.minutes import format_minute, last_due
from tests.mesh.harness import warehouse
from tests.support.image import DOCKERFILE, Image, copied, pinned, read_stages
from tests.support.paths import REPOSITORY
from tests.support.pubsub import clients
from tests.support.simulator import Running
from tests.support.waiting import PATIENCE, wait_until

TOPOLOGY = read_topology(profile="tests")


@dataclass(frozen=True)
class Deployed:
    """Every service of the image, and its address."""

    image: Image
    endpoints: Endpoints
    given: Mapping[str, str]

    def call(self, service: str, path: str = "/") -> dict[str, object]:
        """Call a service as its schedule does."""
        answer = requests.post(self.endpoints.services[service] + path, json={}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    def state(self, minute: datetime) -> str | None:
        """Return a minute's state."""
        sql = f"SELECT state FROM {self.endpoints.dataset}.minute_status WHERE minute = '{format_minute(minute)}'"  # noqa: S608
        rows = list(warehouse(self.endpoints).query(sql, timeout=PATIENCE).result(timeout=PATIENCE))
        return rows[0]["state"] if rows else None


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Build once."""
    built = Image(tmp_path_factory.mktemp("image"))
    built.build()
    return built


@pytest.fixture(scope="module")
def deployed(image: Image, emulators: Endpoints, simulator_process: Running) -> Iterator[Deployed]:
    """Start every service, let Pub/Sub push to them, and provision as the job does."""
    ports = dict(zip(TOPOLOGY.services, free_ports(len(TOPOLOGY.services)), strict=True))
    name = f"image-{uuid4().hex[:8]}"
    places = {
        "bucket": name,
        "dataset": name.replace("-", "_"),
        "virustotal": f"{simulator_process.url}/api/v3",
        "services": {service: f"http://{HOST}:{port}" for service, port in ports.items()},
    }
    endpoints = emulators.model_copy(update=places)
    given = {**endpoints.environment(), "VT_API_KEY": DEFAULT_KEY, "FEEDS": "domains", "PLAN_BACK": "1"}
    with ExitStack() as running:
        services = {
            service: start(image, service, declared, ports[service], given)
            for service, declared in TOPOLOGY.services.items()
        }
        running.callback(stop, *services.values())
        create_topics(TOPOLOGY, endpoints)
        running.callback(forget, TOPOLOGY, endpoints)
        create_subscriptions(TOPOLOGY, endpoints)
        made = image.run("gti-mesh", "provision", given=given)
        assert made.returncode == 0, made.stderr
        for service, port in ports.items():
            log = image.root / f"{service}.log"
            wait_until(answers(port, "/robots.txt", status=404), f"{service} to answer; its log is {log}")
        yield Deployed(image, endpoints, given)


def start(image: Image, name: str, declared: Service, port: int, given: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Run a container of one service as Cloud Run would."""
    chosen = {"FUNCTION_SOURCE": declared.source, "FUNCTION_TARGET": declared.target}
    names = {"K_SERVICE": name, "PORT": str(port), "THREADS": str(declared.concurrency)}
    command = [*image.command, "--host", HOST]
    environment = image.environment({**given, **chosen, **names})
    with (image.root / f"{name}.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 the Dockerfile's own words
            command, cwd=image.folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )


def stop(*processes: "subprocess.Popen[bytes]") -> None:
    """End services with their workers. The order of ending is tested with the local mesh."""
    for process in processes:
        signal_group(process.pid, signal.SIGKILL)
        process.wait(timeout=PATIENCE)


def forget(topology: Topology, at: Endpoints) -> None:
    """Leave no subscription behind that pushes to ended services."""
    with clients(at.pubsub) as (publisher, subscriber):
        for name in topology.subscriptions:
            path = f"projects/{at.project}/subscriptions/{name}"
            subscriber.delete_subscription(subscription=path, timeout=PATIENCE)
        for name in topology.topics:
            publisher.delete_topic(topic=f"projects/{at.project}/topics/{name}", timeout=PATIENCE)


def test_it_holds_the_pinned_packages_and_ours_and_nothing_else(image: Image) -> None:
    """There is no emulator, test tool or pip; every package is one of requirements.lock."""
    installed = image.packages()
    assert "gti-mesh" in installed
    assert installed - {"gti-mesh"} <= pinned("requirements.lock")
    assert not installed & {"pip", "hatchling", "duckdb", "croniter", "pytest"}


def test_it_holds_neither_simulators_nor_emulators(image: Image) -> None:
    """The local stack is excluded from the build; the topology from which services start is included."""
    [packages] = (image.root / "mesh/venv/lib").glob("python3.*/site-packages")
    infra = {found.name for found in (packages / "infra").iterdir()}
    assert "topology.yaml" in infra
    assert not infra & {"local", "terraform"}
    refused = image.run("gti-mesh", "demo", given={})
    assert refused.returncode == 2
    assert "No such command" in refused.stderr


def test_every_source_of_the_topology_is_where_it_says(image: Image) -> None:
    """Each source is found relative to the working directory, although the wheel is installed elsewhere."""
    for declared in TOPOLOGY.services.values():
        assert (image.folder / declared.source).is_file()


def test_a_minute_goes_through_every_service(deployed: Deployed) -> None:
    """A minute goes from the planner's tick to merged with the image's code alone; all services answer."""
    planned = deployed.call("planner")["domains"]
    assert isinstance(planned, dict)
    assert planned["published"] == 1
    minute = datetime.fromisoformat(planned["watermark"])
    wait_until(lambda: deployed.state(minute) == "loaded", f"{format_minute(minute)} to be loaded")
    deployed.call("merger")
    assert deployed.state(minute) == "merged"
    assert "off" in deployed.call("secops-poll")
    page = requests.get(deployed.endpoints.services["status-page"], timeout=PATIENCE)
    assert "<html" in page.text


def test_the_command_works_from_the_image(deployed: Deployed) -> None:
    """The operators' command works without the packages of a local mesh, and reads the services' results."""
    since = format_minute(last_due(datetime.now(UTC)) - timedelta(hours=1))
    audit = deployed.image.run("gti-mesh", "audit", "--since", since, given=deployed.given)
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_the_image_has_no_root_and_starts_without_a_shell() -> None:
    """The user is fixed, the command is a list, bases are pinned to a patch release, and there are several stages."""
    stages = read_stages()
    last = {step.name: step.text for step in stages[-1]}
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert last["CMD"].startswith("[")
    assert len(stages) == 2
    assert all(re.match(r"python:\d+\.\d+\.\d+-slim-\w+( AS \w+)?$", stage[0].text) for stage in stages)


def test_the_image_has_the_decoder_that_the_downloader_prefers() -> None:
    """lbzip2 is pinned, from the archive of the Debian release of both stages."""
    build, last = read_stages()
    [installed] = [step.text for step in last if step.name == "RUN"]
    assert re.search(r"apt-get install [\w -]*lbzip2=\d\S+ ", installed)
    assert build[0].words[0] == last[0].words[0]


def test_only_what_the_image_needs_gets_into_the_build() -> None:
    """Everything but what the Dockerfile copies is excluded, so that no .env or local state is included."""
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == set(copied())
    assert DOCKERFILE.is_file()
