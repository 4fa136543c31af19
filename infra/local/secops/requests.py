"""The body of logs:import, validated as documented (google/cloud/chronicle/v1beta/ingestion.proto)."""

from typing import Annotated

from pydantic import (
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

_RESOURCE = r"^projects/[^/]+/locations/[^/]+/instances/[^/]+/forwarders/[^/]+$"


class BadImportError(ValueError):
    """A refused request; the text is the reason."""


def _written(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a time must be a string in RFC 3339")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_written)]


class _Part(BaseModel):
    # Bytes are base64, of either alphabet, padded or not (protobuf.dev/programming-guides/json).
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, val_json_bytes="base64")


class Label(_Part):
    """The value of a label."""

    value: str
    rbac_enabled: bool = Field(default=False, validation_alias=AliasChoices("rbac_enabled", "rbacEnabled"))


class Log(_Part):
    """One raw log."""

    data: Annotated[bytes, Field(min_length=1)]
    log_entry_time: Time = Field(validation_alias=AliasChoices("log_entry_time", "logEntryTime"))
    collection_time: Time = Field(validation_alias=AliasChoices("collection_time", "collectionTime"))
    environment_namespace: str = Field(
        "", validation_alias=AliasChoices("environment_namespace", "environmentNamespace")
    )
    labels: dict[str, Label] = {}
    additionals: dict[str, object] = {}

    @model_validator(mode="after")
    def _not_collected_before_the_event(self) -> "Log":
        # The proto says "must be after"; Google's wrapper sends equal times, and the service accepts them.
        if self.collection_time < self.log_entry_time:
            raise ValueError("collection_time must not be before log_entry_time")
        return self


class Source(_Part):
    """The logs and their source."""

    logs: Annotated[tuple[Log, ...], Field(min_length=1)]
    forwarder: Annotated[str, Field(pattern=_RESOURCE)] | None = None
    source_filename: str = Field("", validation_alias=AliasChoices("source_filename", "sourceFilename"))


class Import(_Part):
    """The body of logs:import."""

    inline_source: Source = Field(validation_alias=AliasChoices("inline_source", "inlineSource"))
    hint: str = ""


def read_import(body: bytes) -> Source:
    """Return the logs of a request and their source; raise BadImportError with the first problem."""
    try:
        return Import.model_validate_json(body).inline_source
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadImportError(f'Invalid value at "{place}": {first["msg"]}') from None
