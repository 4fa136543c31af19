"""Settings: read once at service start from the environment or `.env`, immutable, and logged with secrets masked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.contracts.minutes import Period
from shared.contracts.outcomes import Misconfigured
from shared.contracts.validation_errors import each_problem
from shared.feeds.definition import THREAT_LISTS, Feed, find_feed, find_package_feed, find_stream_feed
from shared.runtime.logs import LogFormat
from shared.runtime.setting_types import (
    VIRUSTOTAL_API,
    ApiKey,
    ApiUrl,
    BucketName,
    CommaList,
    DatasetName,
    Emulator,
    HostPort,
    NamePrefix,
    ProjectId,
    SecretName,
    SecretVersion,
    known_by,
)

NO_API_KEY = "no API key: set VT_API_KEY, or VT_API_KEY_SECRET to the secret that holds it"


class MeshSettings(BaseSettings):
    """Settings common to every service and the command."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file=".env", str_strip_whitespace=True)

    project: ProjectId = Field(validation_alias=AliasChoices("GCP_PROJECT", "GCP_PROJECT_ID"))
    # Begins the names of topics and subscriptions where several meshes share a project.
    prefix: NamePrefix = Field("", validation_alias="NAME_PREFIX")
    bucket: BucketName = Field(validation_alias=AliasChoices("LANDING_BUCKET", "BUCKET_NAME"))
    dataset: DatasetName = Field("vt_feeds", validation_alias=AliasChoices("BQ_DATASET", "BQ_DATASET_NAME"))
    package_feeds: Annotated[CommaList, known_by(find_package_feed)] = Field(("domains",), validation_alias="FEEDS")
    # Each of them is also one of STREAMS, which only the forwarder knows.
    streams_to_bigquery: Annotated[CommaList, known_by(find_stream_feed)] = Field(
        (), validation_alias="STREAMS_TO_BIGQUERY"
    )
    # How long after its first minute an hour of the threat lists is served.
    threat_lists_lag_minutes: int = Field(120, ge=60, lt=1440, validation_alias="THREAT_LISTS_LAG_MINUTES")
    log_format: LogFormat = Field("json", validation_alias="LOG_FORMAT")
    pubsub_emulator: HostPort = Field("", validation_alias="PUBSUB_EMULATOR_HOST")
    storage_emulator: Emulator = Field("", validation_alias="STORAGE_EMULATOR_HOST")
    bigquery_emulator: Emulator = Field("", validation_alias="BIGQUERY_EMULATOR_HOST")

    @property
    def feeds(self) -> tuple[str, ...]:
        """The names of everything that goes into BigQuery: feeds, then streams."""
        return (*self.package_feeds, *self.streams_to_bigquery)

    def feed_definitions(self) -> tuple[Feed, ...]:
        """Return the definitions of the feeds that are switched on."""
        return tuple(self.feed(name) for name in self.feeds)

    def feed(self, name: str) -> Feed:
        """Return a known feed's definition with the changes by the settings."""
        feed = find_feed(name)
        return feed.model_copy(update={"lag_minutes": self.threat_lists_lag_minutes}) if name == THREAT_LISTS else feed

    def period(self, name: str) -> Period:
        """Return how often a known feed has a package, and how late."""
        return self.feed(name).every()


class PushSettings(BaseSettings):
    """The subscription's maximum delivery attempts; at the last one the service records why it failed."""

    model_config = MeshSettings.model_config

    max_delivery_attempts: int | None = Field(None, ge=5, le=100, validation_alias="MAX_DELIVERY_ATTEMPTS")


class VirusTotalSettings(BaseSettings):
    """Settings for VirusTotal: its address, and the API key or the secret that holds it."""

    model_config = MeshSettings.model_config

    api_url: ApiUrl = Field(VIRUSTOTAL_API, validation_alias="VT_API_URL")
    api_key: ApiKey = Field(SecretStr(""), validation_alias="VT_API_KEY")
    api_key_secret: SecretName = Field("", validation_alias=AliasChoices("VT_API_KEY_SECRET", "VT_API_KEY_SECRET_NAME"))
    api_key_secret_version: SecretVersion = Field("latest", validation_alias="VT_API_KEY_SECRET_VERSION")

    def require_api_key(self) -> None:
        """Raise ValueError if neither the key nor its secret is set."""
        if not self.api_key.get_secret_value() and not self.api_key_secret:
            raise ValueError(NO_API_KEY)


S = TypeVar("S", bound=BaseSettings)


def read_settings(kind: type[S], given: Mapping[str, str] | None = None) -> S:
    """Read settings from the environment; raise Misconfigured with a line for each wrong variable: value and reason.

    Variables that are given take the place of those in the environment.
    """
    try:
        # A validation would wrap the error of a file that cannot be read.
        return kind() if given is None else kind.model_validate(given)
    except ValidationError as error:
        first, *others = each_problem(error, _variables(kind))
        lines = ["wrong settings:", first, *others] if others else [f"wrong settings: {first}"]
        raise Misconfigured("\n  ".join(lines)) from None
    except UnicodeDecodeError as error:
        # Python decodes any environment, so only the file can cause this error.
        raise Misconfigured(
            f"{Path('.env').absolute()} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from None


def _variables(kind: type[BaseSettings]) -> dict[str, str]:
    """Return the variable of each field; a problem of a default names the field."""
    aliases = {name: field.validation_alias for name, field in kind.model_fields.items()}
    return {
        name: str(alias.choices[0] if isinstance(alias, AliasChoices) else alias) for name, alias in aliases.items()
    }
