"""The plan of a local mesh, without starting anything."""

import socket
from pathlib import Path

import pytest

from infra.local.prerequisites import PUBSUB_VARIABLE, find_emulator, locate_source, require_local_extra
from infra.local.process_specs import SIMULATOR_KEY, SimulatorOptions, clean_environment
from infra.local.stack_plan import CUSTOMER, StackPlan, plan_mesh
from infra.local.state import StateFolder
from infra.local.tcp_ports import free_ports
from infra.topology import Topology, read_topology
from shared.contracts.outcomes import Misconfigured

FUNCTION = Path(__file__)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that seems to have Java and the Google Cloud CLI."""
    sdk = tmp_path / "sdk"
    for command in (tmp_path / "bin" / "java", sdk / "bin" / "gcloud"):
        command.parent.mkdir(parents=True, exist_ok=True)
        command.touch(mode=0o755)
    (sdk / "platform" / "pubsub-emulator" / "lib").mkdir(parents=True)
    (sdk / "platform" / "pubsub-emulator" / "lib" / "cloud-pubsub-emulator-0.8.20-all.jar").touch()
    # gcloud is often a link into the SDK's folder.
    (tmp_path / "bin" / "gcloud").symlink_to(sdk / "bin" / "gcloud")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv(PUBSUB_VARIABLE, raising=False)
    return tmp_path


def topology() -> Topology:
    """Return the declared topology with an existing file as every source."""
    declared = read_topology("local")
    services = {name: one.model_copy(update={"source": str(FUNCTION)}) for name, one in declared.services.items()}
    return declared.model_copy(update={"services": services})


def plan(state: Path, settings: dict[str, str] | None = None) -> StackPlan:
    """Return the plan for a state folder."""
    return plan_mesh(
        StateFolder(state), topology(), settings or {}, simulator=SimulatorOptions(seed=3, lines=9), schedules=True
    )


def test_plan_holds_every_part_of_the_topology(machine: Path) -> None:
    """Emulators and simulators start first, then the services; the scheduler makes the topology's calls."""
    found = plan(machine / "state")
    assert [part.name for part in found.first] == [
        *("pubsub", "storage", "bigquery", "virustotal", "secops"),
        *("planner", "downloader", "loader", "loader-dead", "merger", "secops-poll", "secops-import", "status-page"),
    ]
    assert found.scheduler
    assert f'"url": "{found.endpoints.services["planner"]}/sweep"' in found.scheduler.command[-1]


def test_simulator_is_configured_and_known_to_the_services(machine: Path) -> None:
    """Services use the simulator's API with its key; tests use its control endpoint."""
    found = plan(machine / "state")
    command = found.part("virustotal").command
    assert command[command.index("--seed") + 1 :][:3] == ("3", "--lines", "9")
    environment = found.part("downloader").environment
    assert environment["VT_API_KEY"] == SIMULATOR_KEY
    assert environment["VT_API_URL"] == found.endpoints.virustotal
    assert found.endpoints.virustotal == f"{found.endpoints.virustotal_control}/api/v3"


def test_a_setting_of_the_caller_goes_before_the_meshs_own(machine: Path) -> None:
    """Loads are not slowed down, unless the caller wants it."""
    assert plan(machine / "state").part("loader").environment["LOAD_JOBS_PER_SECOND"] == "1000"
    asked = plan(machine / "state", {"LOAD_JOBS_PER_SECOND": "2"})
    assert asked.part("loader").environment["LOAD_JOBS_PER_SECOND"] == "2"


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"VT_API_KEY": "real"}, None),
        ({"VT_API_KEY": "real", "VT_API_URL": "https://vt.example/api/v3"}, "https://vt.example/api/v3"),
    ],
)
def test_real_source_takes_the_simulators_place(machine: Path, settings: dict[str, str], url: str | None) -> None:
    """With the caller's key that server is used, and no simulator is started."""
    found = plan(machine / "state", settings)
    assert "virustotal" not in [part.name for part in found.first]
    assert found.endpoints.virustotal == url
    environment = found.part("downloader").environment
    assert environment["VT_API_KEY"] == "real"
    assert environment.get("VT_API_URL") == url


def test_services_forward_to_the_simulated_secops(machine: Path) -> None:
    """The forwarder is on, and uses the simulator's address from the endpoints."""
    found = plan(machine / "state")
    environment = found.part("secops-import").environment
    assert environment["SECOPS_API_URL"] == found.endpoints.secops
    assert environment["CHRONICLE_CUSTOMER_ID"] == CUSTOMER
    assert str(found.endpoints.secops).rpartition(":")[2] in found.part("secops").command


def test_commands_know_what_services_were_started_with(machine: Path) -> None:
    """Otherwise `doctor` would leave out forwarded feeds, and `status` would expect hours at another time."""
    settings = {
        "STREAMS": "asm_issues",
        "SECOPS_FEEDS": "threat_lists",
        "CHRONICLE_LOG_TYPE_THREAT_LISTS": "LISTS_CUSTOM",
        "THREAT_LISTS": "ransomware",
        "THREAT_LISTS_LAG_MINUTES": "60",
        "ASM_PROJECTS": "10101",
    }
    known = plan(machine / "state", settings).endpoints.environment()
    assert settings.items() <= known.items()


def test_another_secops_takes_the_simulators_place(machine: Path) -> None:
    """With the caller's address that server is used, and no simulator is started."""
    found = plan(machine / "state", {"SECOPS_API_URL": "http://secops.example", "CHRONICLE_CUSTOMER_ID": "abc"})
    assert "secops" not in [part.name for part in found.first]
    environment = found.part("secops-import").environment
    assert environment["SECOPS_API_URL"] == found.endpoints.secops == "http://secops.example"
    assert environment["CHRONICLE_CUSTOMER_ID"] == "abc"


def test_threads_of_a_service_are_its_concurrency(machine: Path) -> None:
    """A service handles as many requests at once as one Cloud Run instance would."""
    environment = plan(machine / "state").part("merger").environment
    assert (environment["THREADS"], environment["WORKERS"]) == (str(topology().services["merger"].concurrency), "1")


def test_environment_is_clean() -> None:
    """No variable of the caller's cloud or proxies reaches a process; HOME is in the state folder."""
    caller = {
        "PATH": "/bin",
        "HOME": "/home/someone",
        "GOOGLE_APPLICATION_CREDENTIALS": "/key.json",
        "GOOGLE_CLOUD_PROJECT": "production",
        "HTTPS_PROXY": "http://proxy",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector",
        "PYTHONPATH": "/elsewhere",
    }
    found = clean_environment(StateFolder(Path("/state")), caller)
    assert found["PATH"] == "/bin"
    assert found["HOME"] == "/state/home"
    assert set(caller) & set(found) == {"PATH", "HOME"}


def test_proxy_is_inherited_only_to_reach_the_real_source() -> None:
    """A company's proxy is used for virustotal.com and never for this machine."""
    found = clean_environment(StateFolder(Path("/state")), {"HTTPS_PROXY": "http://proxy"}, outward=True)
    assert (found["HTTPS_PROXY"], found["NO_PROXY"]) == ("http://proxy", "127.0.0.1,localhost")


def test_missing_java_is_one_clear_line_for_those_who_want_the_emulator(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names what is missing, where it was searched, and how to install it."""
    (machine / "bin" / "java").unlink()
    monkeypatch.setenv(PUBSUB_VARIABLE, "emulator")
    with pytest.raises(Misconfigured, match=r"^the Pub/Sub emulator needs Java .* none in the PATH; install one.*$"):
        plan(machine / "state")


@pytest.mark.parametrize("wanted", [None, "auto", "embedded"])
def test_pubsub_is_the_embedded_server_although_the_emulator_is_installed(
    machine: Path, monkeypatch: pytest.MonkeyPatch, wanted: str | None
) -> None:
    """Without an option, and with `auto`, the server that keeps its backlog is chosen."""
    if wanted:
        monkeypatch.setenv(PUBSUB_VARIABLE, wanted)
    found = plan(machine / "state")
    assert "infra.local.pubsub_server" in found.part("pubsub").command
    assert found.endpoints.pubsub_control
    assert found.pubsub.description == "the embedded server, which keeps its backlog"


def test_who_asks_for_the_emulator_gets_it(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The official emulator has no control endpoint."""
    monkeypatch.setenv(PUBSUB_VARIABLE, "emulator")
    found = plan(machine / "state")
    assert ("-jar" in found.part("pubsub").command, found.endpoints.pubsub_control) == (True, None)
    assert "loses its backlog" in found.pubsub.description


def test_wrong_pubsub_in_the_environment_is_one_clear_line(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable and its allowed values."""
    monkeypatch.setenv(PUBSUB_VARIABLE, "kafka")
    with pytest.raises(
        Misconfigured, match=r"^GTI_MESH_PUBSUB is 'kafka'; it must be one of auto, emulator, embedded$"
    ):
        plan(machine / "state")


def test_missing_emulator_is_one_clear_line(machine: Path) -> None:
    """The error names the command and the package that install it."""
    with pytest.raises(Misconfigured, match=r"`gcloud components install pubsub-emulator` or the Debian package"):
        find_emulator({"PATH": str(machine / "nothing")}, places=[machine / "nowhere"])


def test_missing_extra_is_one_clear_line() -> None:
    """An installation for the cloud lists the packages missing for a local mesh."""
    with pytest.raises(Misconfigured, match=r"^a local mesh needs duckdc; install the extra: pip install .*local"):
        require_local_extra(["filelock", "duckdc"])


def test_emulator_is_found_beside_gcloud_and_in_usual_places(machine: Path) -> None:
    """A linked gcloud leads to its SDK; without gcloud the usual folders are searched."""
    beside = find_emulator({"PATH": str(machine / "bin")}, places=[])
    usual = find_emulator({"PATH": ""}, places=[machine / "nowhere", machine / "sdk"])
    assert beside == usual.resolve()


def test_source_is_found_inside_the_installed_package() -> None:
    """The source is found in a checkout and in a wheel; a wrong one is refused with its name."""
    import shared

    assert locate_source("shared/contracts/outcomes.py") == Path(shared.__path__[0], "contracts/outcomes.py")
    with pytest.raises(Misconfigured, match=r"the source shared/nothing\.py does not exist"):
        locate_source("shared/nothing.py")


def test_ports_are_different_and_free() -> None:
    """Every part can bind its port, and no port is in the range of outgoing connections."""
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert max(ports) < 32_768
    for port in ports:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))


def test_commands_learn_which_feeds_the_mesh_was_started_with(machine: Path) -> None:
    """The endpoints have the services' feeds, or the default if none were set."""
    assert plan(machine, {"FEEDS": "domains,urls"}).endpoints.environment()["FEEDS"] == "domains,urls"
    assert "FEEDS" not in plan(machine).endpoints.environment()
