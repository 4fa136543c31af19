"""The addresses of a running local mesh, published in `endpoints.json`."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.contracts.outcomes import Misconfigured

FILE_NAME = "endpoints.json"
# The lock that a mesh holds on its state folder while it runs.
LOCK_NAME = "mesh.lock"
# The default state folder of `gti-mesh up` and of all commands.
DEFAULT_STATE = Path(".gti-mesh/up")
LOCAL_HOSTS = "127.0.0.1,localhost"


class Endpoints(BaseModel):
    """The addresses of one local mesh; keys that a newer mesh adds are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    project: str
    bucket: str
    dataset: str
    pubsub: str
    pubsub_control: str | None = None
    storage: str
    bigquery: str
    virustotal: str | None = None
    virustotal_control: str | None = None
    secops: str | None = None
    log_types: Mapping[str, str] = Field(default_factory=dict)
    feeds: str | None = None
    streams: Mapping[str, str] = Field(default_factory=dict)
    services: Mapping[str, str] = Field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment variables by which clients, including Google's, reach this mesh."""
        found = {
            "GCP_PROJECT": self.project,
            # A local mesh has its machine to itself.
            "NAME_PREFIX": "",
            "LANDING_BUCKET": self.bucket,
            "BQ_DATASET": self.dataset,
            "PUBSUB_EMULATOR_HOST": self.pubsub,
            "STORAGE_EMULATOR_HOST": self.storage,
            "BIGQUERY_EMULATOR_HOST": self.bigquery,
            "VT_API_URL": self.virustotal,
            "SECOPS_API_URL": self.secops,
            "FEEDS": self.feeds,
            "NO_PROXY": LOCAL_HOSTS,
            "no_proxy": LOCAL_HOSTS,
        }
        return {**self.log_types, **self.streams, **{name: value for name, value in found.items() if value is not None}}

    def write(self, folder: Path) -> None:
        """Write the file atomically."""
        unfinished = folder / f".{FILE_NAME}"
        unfinished.write_text(self.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")
        unfinished.replace(folder / FILE_NAME)


def read_endpoints(folder: Path) -> Endpoints | None:
    """Return the endpoints of the mesh that runs on a state folder, or None if none runs.

    After a power cut the file is still there; a mesh that runs also holds the folder's lock.
    """
    file = folder / FILE_NAME
    try:
        text = file.read_bytes()
        if not _is_locked(folder / LOCK_NAME):
            return None
        return Endpoints.model_validate_json(text)
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise Misconfigured(
            f"{file} cannot be read: {error.errors()[0]['msg']}; stop the mesh and start it again"
        ) from None


def _is_locked(file: Path) -> bool:
    # Missing on Windows, where no local mesh runs.
    import fcntl

    with file.open("rb") as lock:
        try:
            # Shared, so that two commands at once do not take each other for a mesh.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
