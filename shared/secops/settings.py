"""The SecOps forwarder's settings, under the names of the script that it replaces."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError, field_validator, model_validator

from shared.outcomes import Misconfigured
from shared.problems import problems
from shared.settings import CommaList, MeshSettings, VirusTotalSettings
from shared.streams import LARGEST_PAGE, Stream, find_stream

# What VT_FILTERS, VT_ORDER, VT_DATE_FILTER and CHRONICLE_LOG_TYPE speak of.
MAIN_STREAM = "ioc_stream"

_SPAN = re.compile(r"-?(\d{1,5})([mhdw])", re.ASCII)
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}


def _minutes_back(value: object) -> object:
    if value in ("", None):
        return None
    span = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if span is None:
        raise ValueError(f"{value!r} is no look-back; write it as -1d, -12h or -90m")
    return int(span.group(1)) * _MINUTES[span.group(2)]


LookBack = Annotated[int | None, BeforeValidator(_minutes_back)]


class SecOpsSettings(MeshSettings, VirusTotalSettings):
    """Which streams, from where, to which SecOps instance; without a customer id the forwarder is off."""

    stream_names: CommaList = Field((MAIN_STREAM,), validation_alias="STREAMS")
    filters: str | None = Field(None, validation_alias="VT_FILTERS")
    order: str | None = Field(None, validation_alias="VT_ORDER")
    look_back: LookBack = Field(None, validation_alias="VT_DATE_FILTER")
    page_size: int = Field(LARGEST_PAGE, ge=1, le=LARGEST_PAGE, validation_alias="VT_LIMIT")
    deadline_seconds: int = Field(240, ge=1, le=590, validation_alias="POLL_DEADLINE_SECONDS")

    customer_id: str = Field("", pattern=r"^[0-9a-fA-F-]*$", validation_alias="CHRONICLE_CUSTOMER_ID")
    region: str = Field("us", pattern=r"^[a-z0-9_-]+$", validation_alias="CHRONICLE_REGION")
    host: str = Field(
        "https://{region}-chronicle.googleapis.com", pattern=r"^https?://[^/\s]+$", validation_alias="CHRONICLE_HOST"
    )
    api_host: str = Field("", pattern=r"^(https?://[^/\s]+)?$", validation_alias="SECOPS_API_URL")
    api_version: str = Field("v1beta", pattern=r"^v[0-9a-z]+$", validation_alias="CHRONICLE_API_VERSION")
    chronicle_project: str = Field(
        "", validation_alias=AliasChoices("CHRONICLE_PROJECT", "CHRONICLE_PROJECT_NUMBER", "CHRONICLE_PROJECT_ID")
    )
    log_type: str = Field("", validation_alias="CHRONICLE_LOG_TYPE")
    forwarder_id: str = Field("", pattern=r"^[0-9a-fA-F-]*$", validation_alias="CHRONICLE_FORWARDER_ID")
    namespace: str = Field("", validation_alias=AliasChoices("CHRONICLE_NAMESPACE", "NAMESPACE"))
    use_case: str = Field("", validation_alias="USE_CASE_NAME")
    clean: bool = Field(default=True, validation_alias="SECOPS_CLEAN")
    # The documented 4 MB, less what a proxy on the way may add (facts of several clients: 3.9 to 4 MB).
    max_request_bytes: int = Field(3_900_000, ge=10_000, validation_alias="SECOPS_MAX_REQUEST_BYTES")
    max_request_logs: int = Field(1000, ge=1, validation_alias="SECOPS_MAX_REQUEST_LOGS")

    @field_validator("stream_names")
    @classmethod
    def _streams_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                find_stream(name)
            except Misconfigured as error:
                raise ValueError(str(error)) from None
        return names

    @model_validator(mode="after")
    def _everything_is_there(self) -> "SecOpsSettings":
        if self.customer_id and not (self.api_key.get_secret_value() or self.api_key_secret):
            raise ValueError("no API key: set VT_API_KEY, or VT_API_KEY_SECRET to the secret that holds it")
        self.streams()
        return self

    @property
    def on(self) -> bool:
        """Whether there is an instance to forward to."""
        return bool(self.customer_id)

    @property
    def deadline(self) -> timedelta:
        """How long one poll may take."""
        return timedelta(seconds=self.deadline_seconds)

    def streams(self) -> tuple[Stream, ...]:
        """Return the streams that are switched on, the main one as the environment changes it."""
        return tuple(self._adjusted(find_stream(name)) for name in self.stream_names)

    def _adjusted(self, stream: Stream) -> Stream:
        if stream.name != MAIN_STREAM:
            return stream
        given = {
            "filter": ("VT_FILTERS", self.filters),
            "order": ("VT_ORDER", self.order or None),
            "look_back_minutes": ("VT_DATE_FILTER", self.look_back),
            "log_type": ("CHRONICLE_LOG_TYPE", self.log_type or None),
        }
        changes = {field: value for field, (_, value) in given.items() if value is not None}
        try:
            return Stream.model_validate({**stream.model_dump(), **changes})
        except ValidationError as error:
            names = ", ".join(f"{name}={value!r}" for name, value in given.values() if value is not None)
            raise ValueError(f"{names}: {problems(error)}") from None
