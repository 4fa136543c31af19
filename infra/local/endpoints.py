"""Where the parts of a running local mesh are, as every other program finds them: `endpoints.json`."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.outcomes import Misconfigured

FILE_NAME = "endpoints.json"
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
    feeds: str | None = None
    services: Mapping[str, str] = Field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment by which any client, Google's own included, reaches this mesh."""
        found = {
            "GCP_PROJECT": self.project,
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
        return {name: value for name, value in found.items() if value is not None}

    def write(self, folder: Path) -> None:
        """Write the file in one step, so that a reader sees all of it or none."""
        unfinished = folder / f".{FILE_NAME}"
        unfinished.write_text(self.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")
        unfinished.replace(folder / FILE_NAME)


def read_endpoints(folder: Path) -> Endpoints | None:
    """Return the endpoints of the mesh that runs on a state folder, or None when none runs."""
    file = folder / FILE_NAME
    try:
        return Endpoints.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise Misconfigured(
            f"{file} cannot be read: {error.errors()[0]['msg']}; stop the mesh and start it again"
        ) from None
