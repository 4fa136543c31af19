"""The parts of a local mesh: what to run for each, and how to tell that it is ready."""

import http.client
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.local.endpoints import LOCAL_HOSTS
from infra.local.machine import find_emulator, find_java, find_storage_server, locate_source
from infra.local.ports import HOST
from infra.local.process import Part
from infra.local.state import StateFolder
from infra.topology import Schedule, Service

SIMULATOR_KEY = "local-simulator-key"

# What a process needs of the caller's environment; everything else, above all what belongs to a cloud, stays out.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "JAVA_HOME")
# Only for reading the real VirusTotal from behind a company's proxy.
_OUTWARD = ("HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")

# The emulator lives for minutes to hours on a small heap: a quick start is worth more than peak speed.
_JVM_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xmx512m")


@dataclass(frozen=True)
class SimulatorOptions:
    """What the VirusTotal simulator serves."""

    seed: int = 7
    lines: int = 60
    notification_seconds: int = 60


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


# The real service lets a subscription rest for up to a minute after nacks; someone is watching here.
_PUSH_REST_SECONDS = "1"


def official_pubsub(port: int, environment: Mapping[str, str]) -> Part:
    """Return the Pub/Sub emulator of the Google Cloud CLI."""
    java, jar = find_java(environment), find_emulator(environment)
    return Part(
        name="pubsub",
        command=(java, *_JVM_OPTIONS, "-jar", str(jar), f"--host={HOST}", f"--port={port}"),
        environment=environment,
        ready=answers(port, "/"),
        stop_seconds=1.0,
    )


def embedded_pubsub(port: int, control_port: int, state: StateFolder, environment: Mapping[str, str]) -> Part:
    """Return our own Pub/Sub, which needs nothing but Python and keeps its backlog."""
    options = {
        "--port": str(port),
        "--control-port": str(control_port),
        "--state": str(state.pubsub / "backlog.sqlite"),
        "--push-backoff": _PUSH_REST_SECONDS,
    }
    return Part(
        name="pubsub",
        command=_module("infra.local.pubsub_server", *(word for option in options.items() for word in option)),
        environment=environment,
        ready=answers(control_port, "/control/backlog"),
        stop_seconds=1.0,
    )


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
        command=(find_storage_server(), *(word for option in options.items() for word in option)),
        environment=environment,
        ready=answers(port, "/storage/v1/b?project=local"),
        stop_seconds=1.0,
    )


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
        stop_seconds=2.5,
    )


def simulator(port: int, download_port: int, options: SimulatorOptions, environment: Mapping[str, str]) -> Part:
    """Return the VirusTotal simulator."""
    arguments = {
        "--port": port,
        "--download-port": download_port,
        "--seed": options.seed,
        "--lines": options.lines,
        "--notification-seconds": options.notification_seconds,
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


def secops(port: int, state: StateFolder, environment: Mapping[str, str]) -> Part:
    """Return the SecOps simulator."""
    return Part(
        name="secops",
        command=_module("infra.local.secops", "--port", str(port), "--journal", str(state.secops / "accepted.jsonl")),
        environment=environment,
        ready=answers(port, "/healthz"),
        stop_seconds=1.0,
    )


def service(name: str, declared: Service, port: int, environment: Mapping[str, str]) -> Part:
    """Return a service as Cloud Run would run it: functions-framework, as many threads as requests at once."""
    return Part(
        name=name,
        command=_module(
            "infra.local.service",
            *("--source", str(locate_source(declared.source)), "--target", declared.target),
            *("--host", HOST, "--port", str(port)),
        ),
        environment={
            **environment,
            "K_SERVICE": name,
            "WORKERS": "1",
            "THREADS": str(declared.concurrency),
            # gunicorn puts a control socket under HOME; services that share one take two seconds more to stop.
            "HOME": f"{environment['HOME']}/{name}",
        },
        # The framework answers 404 here by itself; any other path would call the function.
        ready=answers(port, "/robots.txt", status=404),
        # gunicorn looks up from its connections once a second.
        stop_seconds=2.0,
    )


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
