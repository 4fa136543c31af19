"""Settings: read once at a service's start from the environment or `.env`, frozen, and logged with secrets masked."""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.feeds.definition import Feed, find_feed
from shared.logs import LogFormat
from shared.outcomes import Misconfigured
from shared.problems import problems


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Required = Annotated[str, Field(min_length=1)]


class MeshSettings(BaseSettings):
    """What every service and the command need to know."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file=".env", str_strip_whitespace=True)

    project: Required = Field(validation_alias=AliasChoices("GCP_PROJECT", "GCP_PROJECT_ID"))
    bucket: Required = Field(validation_alias=AliasChoices("LANDING_BUCKET", "BUCKET_NAME"))
    dataset: str = Field(
        "vt_feeds",
        pattern=r"^[A-Za-z0-9_]{1,1024}$",
        validation_alias=AliasChoices("BQ_DATASET", "BQ_DATASET_NAME"),
    )
    feeds: CommaList = Field(("domains",), validation_alias="FEEDS")
    log_format: LogFormat = Field("json", validation_alias="LOG_FORMAT")
    pubsub_emulator: str = Field("", validation_alias="PUBSUB_EMULATOR_HOST")
    storage_emulator: str = Field("", validation_alias="STORAGE_EMULATOR_HOST")
    bigquery_emulator: str = Field("", validation_alias="BIGQUERY_EMULATOR_HOST")

    @field_validator("feeds")
    @classmethod
    def _feeds_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                find_feed(name)
            except Misconfigured as error:
                raise ValueError(str(error)) from None
        return names

    def feed_definitions(self) -> tuple[Feed, ...]:
        """Return the definitions of the feeds that are switched on."""
        return tuple(find_feed(name) for name in self.feeds)


class VirusTotalSettings(BaseSettings):
    """How to reach VirusTotal: its address, and the API key or the secret that holds it."""

    model_config = MeshSettings.model_config

    api_url: str = Field(
        "https://www.virustotal.com/api/v3", pattern=r"^https?://[^/\s]+", validation_alias="VT_API_URL"
    )
    api_key: SecretStr = Field(SecretStr(""), validation_alias="VT_API_KEY")
    api_key_secret: str = Field("", validation_alias=AliasChoices("VT_API_KEY_SECRET", "VT_API_KEY_SECRET_NAME"))
    api_key_secret_version: str = Field("latest", validation_alias="VT_API_KEY_SECRET_VERSION")

    @field_validator("api_key")
    @classmethod
    def _key_is_stripped(cls, key: SecretStr) -> SecretStr:
        return SecretStr(key.get_secret_value().strip())


S = TypeVar("S", bound=BaseSettings)


def read_settings(kind: type[S]) -> S:
    """Read settings from the environment; raise Misconfigured that names each wrong variable, value and reason."""
    try:
        return kind()
    except ValidationError as error:
        raise Misconfigured(f"wrong settings: {problems(error)}") from None
    except UnicodeDecodeError as error:
        # The environment is text whatever its bytes are, so it can only be the file.
        raise Misconfigured(
            f"{Path('.env').absolute()} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from None
