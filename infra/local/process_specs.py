"""The parts of a local mesh: the command of each, and the check that it is ready."""

import http.client
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from infra.endpoints import LOCAL_HOSTS
from infra.local.prerequisites import find_emulator, find_java, find_storage_server, locate_source
from infra.local.process import ProcessSpec
from infra.local.state import StateFolder
from infra.local.tcp_ports import HOST
from infra.topology import Schedule, Service

SIMULATOR_KEY = "local-simulator-key"

# The variables inherited from the caller; all others, especially cloud settings, are left out.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "JAVA_HOME")
# Only for reaching the real VirusTotal through a company's proxy.
_OUTWARD = ("HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")

# SecOps: some days of logs, for `gti-mesh secops verify`.
_LOGS_KEPT = 10_000

# The emulator lives for minutes to hours on a small heap: a quick start is worth more than peak speed.
_JVM_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xmx512m")


@dataclass(frozen=True)
class SimulatorOptions:
    """Options of the VirusTotal simulator; pace and since are those of infra/local/virustotal/streams/pace.py."""

    seed: int = 7
    lines: int = 60
    notification_seconds: int = 60
    pace: float = 1.0
    since: float = 0.0


def clean_environment(state: StateFolder, caller: Mapping[str, str], *, outward: bool = False) -> dict[str, str]:
    """Return the environment every part starts from: the machine's basics, and nothing of the user's cloud."""
    inherited = (*_INHERITED, *(_OUTWARD if outward else ()))
    return {
        **{name: caller[name] for name in inherited if name in caller},
        "HOME": str(state.home),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": LOCAL_HOSTS,
        "no_proxy": LOCAL_HOSTS,
        # Without credentials Google's libraries query the metadata server, which exists on a cloud workstation.
        "NO_GCE_CHECK": "true",
        "OTEL_SDK_DISABLED": "true",
    }


# The real service pauses a subscription for up to a minute after nacks, too long for a local mesh.
_PUSH_REST_SECONDS = "1"


def official_pubsub(port: int, environment: Mapping[str, str]) -> ProcessSpec:
    """Return the Pub/Sub emulator of the Google Cloud CLI."""
    java, jar = find_java(environment), find_emulator(environment)
    return ProcessSpec(
        name="pubsub",
        command=(java, *_JVM_OPTIONS, "-jar", str(jar), f"--host={HOST}", f"--port={port}"),
        environment=environment,
        ready=answers(port, "/"),
        stop_seconds=1.0,
    )


def embedded_pubsub(port: int, control_port: int, state: StateFolder, environment: Mapping[str, str]) -> ProcessSpec:
    """Return the embedded Pub/Sub server, which needs only Python and keeps its backlog."""
    options = {
        "--port": port,
        "--control-port": control_port,
        "--state": state.pubsub / "backlog.sqlite",
        "--push-backoff": _PUSH_REST_SECONDS,
    }
    return ProcessSpec(
        name="pubsub",
        command=_module("infra.local.pubsub_server", *_words(options)),
        environment=environment,
        ready=answers(control_port, "/control/backlog"),
        stop_seconds=1.0,
    )


def storage(port: int, state: StateFolder, environment: Mapping[str, str]) -> ProcessSpec:
    """Return the Cloud Storage emulator, which keeps buckets as folders."""
    url = f"http://{HOST}:{port}"
    options = {
        "-scheme": "http",
        "-host": HOST,
        "-port": port,
        "-backend": "filesystem",
        "-filesystem-root": state.storage,
        # The server returns this address for resumable uploads.
        "-external-url": url,
        "-log-level": "warn",
    }
    return ProcessSpec(
        name="storage",
        command=(find_storage_server(), *_words(options)),
        environment=environment,
        ready=answers(port, "/storage/v1/b?project=local"),
        stop_seconds=1.0,
    )


def bigquery(rest_port: int, grpc_port: int, state: StateFolder, environment: Mapping[str, str]) -> ProcessSpec:
    """Return the BigQuery emulator, which reads gs:// addresses from the folder of the Cloud Storage emulator."""
    return ProcessSpec(
        name="bigquery",
        command=_module("infra.local.bigquery", str(state.path), str(rest_port), str(grpc_port)),
        environment=environment,
        ready=answers(rest_port, "/readyz"),
        # Closing DuckDB writes a checkpoint.
        stop_seconds=2.5,
    )


def simulator(port: int, download_port: int, options: SimulatorOptions, environment: Mapping[str, str]) -> ProcessSpec:
    """Return the VirusTotal simulator."""
    arguments = {
        "--port": port,
        "--download-port": download_port,
        "--seed": options.seed,
        "--lines": options.lines,
        "--notification-seconds": options.notification_seconds,
        "--pace": options.pace,
        "--since": options.since,
        "--api-key": SIMULATOR_KEY,
    }
    api, downloads = answers(port, "/healthz"), answers(download_port, "/healthz")
    return ProcessSpec(
        name="virustotal",
        command=_module("infra.local.virustotal", *_words(arguments)),
        environment=environment,
        ready=lambda: api() and downloads(),
        stop_seconds=1.0,
    )


def secops(port: int, state: StateFolder, environment: Mapping[str, str]) -> ProcessSpec:
    """Return the SecOps simulator."""
    return ProcessSpec(
        name="secops",
        command=_module(
            "infra.local.secops",
            *("--port", str(port), "--journal", str(state.secops / "accepted.jsonl"), "--keep", str(_LOGS_KEPT)),
        ),
        environment=environment,
        ready=answers(port, "/healthz"),
        stop_seconds=1.0,
    )


def service(name: str, declared: Service, port: int, environment: Mapping[str, str]) -> ProcessSpec:
    """Return a service as Cloud Run would run it: functions-framework, as many threads as requests at once."""
    return ProcessSpec(
        name=name,
        command=_module(
            "infra.local.service",
            *("--source", str(locate_source(declared.source)), "--target", declared.target),
            *("--host", HOST, "--port", str(port)),
        ),
        environment={
            # BigQuery counts the changes of a table; its emulator does not.
            "LOAD_JOBS_PER_SECOND": "1000",
            **environment,
            "K_SERVICE": name,
            "WORKERS": "1",
            "THREADS": str(declared.concurrency),
            # gunicorn puts a control socket under HOME; services that share a HOME take two seconds longer to stop.
            "HOME": f"{environment['HOME']}/{name}",
        },
        # The framework answers 404 here by itself; any other path would call the function.
        ready=answers(port, "/robots.txt", status=404),
        # gunicorn checks for termination once a second.
        stop_seconds=2.0,
    )


def scheduler(
    schedules: Mapping[str, Schedule], services: Mapping[str, str], environment: Mapping[str, str]
) -> ProcessSpec:
    """Return the process that calls services on schedule."""
    calls = [
        {"name": name, "cron": one.cron, "url": services[one.service] + one.path, "seconds": one.deadline_seconds}
        for name, one in schedules.items()
    ]
    return ProcessSpec(
        name="scheduler",
        command=_module("infra.local.scheduler", json.dumps(calls)),
        environment=environment,
        ready=lambda: True,
        stop_seconds=0.5,
    )


def _words(options: Mapping[str, object]) -> Iterator[str]:
    return (str(word) for option in options.items() for word in option)


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    # -P: files in the state folder, the working directory, must not shadow a module.
    return (sys.executable, "-P", "-m", name, *arguments)


def answers(port: int, path: str, *, status: int = 200) -> Callable[[], bool]:
    """Return a check that a GET on this port returns a status; it never uses a proxy."""

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
