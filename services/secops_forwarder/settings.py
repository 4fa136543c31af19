"""The SecOps forwarder's settings, under the names of the script that it replaces."""

import re
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.secops_forwarder.feed_settings import ForwardedFeedSettings
from services.secops_forwarder.instance_settings import InstanceSettings
from services.secops_forwarder.stream_settings import ALERT_STREAM, MAIN_STREAM, StreamSettings, delivered_streams
from shared.contracts.validation_errors import HIDDEN, describe_errors
from shared.runtime.setting_types import AsmProjects, CommaList, FilterText
from shared.runtime.settings import NO_API_KEY, MeshSettings, PushSettings, VirusTotalSettings
from shared.streams.definition import LARGEST_PAGE, RELATIONS, Stream, find_stream, known_streams

# The interval between polls, of the schedule in topology.yaml and of the standalone forwarder.
POLL_MINUTES = 5
_MAX_MINUTES = 7 * 24 * 60
_LEAVE_OUT = "belongs to the stream {0}: leave VT_FILTERS and VT_ORDER out, and set STREAMS={0}"

_SPAN = re.compile(r"-?(\d{1,5})([mhdw])", re.ASCII)
_MAX_RELATIONS = 3
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}


def _minutes_back(value: object) -> object:
    if value in ("", None):
        return None
    span = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if span is None:
        raise ValueError(f"{value!r} is not a look-back; write it as -1d, -12h or -90m")
    minutes = int(span.group(1)) * _MINUTES[span.group(2)]
    if minutes < POLL_MINUTES:
        raise ValueError(f"{value!r} is less than the {POLL_MINUTES} minutes between two polls; write at least -5m")
    if minutes > _MAX_MINUTES:
        raise ValueError(f"{value!r} is more than the 7 days that the source keeps; write at most -7d")
    return minutes


def _other_stream(term: str) -> str | None:
    """Return the name of the stream that a filter term or an order belongs to, if not the main one."""
    name = term.partition(":")[0]
    if name in find_stream(MAIN_STREAM).terms:
        return None
    streams = [stream for stream in known_streams().values() if name in stream.terms]
    # Of several streams with the term, the one with its value.
    fitting = [stream for stream in streams if term in stream.filter.split()] or streams
    return fitting[0].name if fitting else None


def _main_filter(text: str) -> str:
    for term in text.split():
        name = term.partition(":")[0]
        if other := _other_stream(term):
            raise ValueError(f"{term!r} {_LEAVE_OUT.format(other)}")
        if name == find_stream(MAIN_STREAM).date_term:
            raise ValueError(
                f"{term!r}: the forwarder sets the date itself; leave the date out "
                "(VT_DATE_FILTER=-1d is how far back the first poll looks)"
            )
    return text


def _main_order(text: str) -> str:
    order = find_stream(MAIN_STREAM).order
    if text in ("", order):
        return text
    if other := _other_stream(text.rstrip("+-")):
        raise ValueError(f"{text!r} {_LEAVE_OUT.format(other)}")
    if text.endswith("-"):
        raise ValueError(f"{text!r} is not ascending; write it with a plus, as {order}, or leave it out")
    raise ValueError(f"{text!r} is not an order of {MAIN_STREAM}; write {order}, or leave it out")


def _relations(names: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in names if name not in RELATIONS]:
        raise ValueError(f"unknown relation {unknown[0]!r}; known relations: {', '.join(sorted(RELATIONS))}")
    if len(names) > _MAX_RELATIONS:
        raise ValueError(
            f"{len(names)} relations; at most {_MAX_RELATIONS}, because each costs a request per collection"
        )
    return names


LookBack = Annotated[int | None, BeforeValidator(_minutes_back)]
MainFilter = Annotated[FilterText, AfterValidator(_main_filter)]
MainOrder = Annotated[str, AfterValidator(_main_order)]


class SecOpsSettings(
    ForwardedFeedSettings, StreamSettings, VirusTotalSettings, PushSettings, MeshSettings, InstanceSettings
):
    """Streams, source and SecOps instance; without a customer ID only streams for BigQuery are collected.

    Fields are validated from the last base to the first, and then those of this class: whether the forwarder is on is
    known before what it needs then, so that everything that is missing is reported at once.
    """

    needs_api_key: ClassVar[bool] = True

    filters: MainFilter | None = Field(None, validation_alias="VT_FILTERS")
    order: MainOrder | None = Field(None, validation_alias="VT_ORDER")
    look_back: LookBack = Field(None, validation_alias="VT_DATE_FILTER")
    page_size: int = Field(LARGEST_PAGE, ge=1, le=LARGEST_PAGE, validation_alias="VT_LIMIT")
    # Documents hold personal data and leaked credentials, so they are requested only if asked for.
    dtm_refs: bool = Field(default=False, validation_alias="DTM_REFS")
    relations: Annotated[CommaList, AfterValidator(_relations)] = Field((), validation_alias="RELATIONS")
    relations_limit: int = Field(10, ge=1, le=LARGEST_PAGE, validation_alias="RELATIONS_LIMIT")
    dtm_truncate: int | None = Field(None, ge=1, validation_alias="DTM_TRUNCATE")
    # The ids of projects; without any, all of the key's owner.
    asm_projects: AsmProjects = Field((), validation_alias="ASM_PROJECTS")
    second_look_hours: int = Field(24, ge=0, le=7 * 24, validation_alias="SECOND_LOOK_HOURS")
    deadline_seconds: int = Field(240, ge=1, le=590, validation_alias="POLL_DEADLINE_SECONDS")

    namespace: str = Field("", validation_alias=AliasChoices("CHRONICLE_NAMESPACE", "NAMESPACE"))
    use_case: str = Field("", validation_alias="USE_CASE_NAME")
    clean: bool = Field(default=True, validation_alias="SECOPS_CLEAN")
    # The documented 4 MB minus what a proxy may add (other clients use 3.9 to 4 MB).
    max_request_bytes: int = Field(3_900_000, ge=10_000, validation_alias="SECOPS_MAX_REQUEST_BYTES")
    max_request_logs: int = Field(1000, ge=1, validation_alias="SECOPS_MAX_REQUEST_LOGS")

    @field_validator("api_key_secret")
    @classmethod
    def _key_is_there(cls, secret: str, info: ValidationInfo) -> str:
        key = info.data.get("api_key")
        on = info.data.get("customer_id", "wrong") or info.data.get("streams_to_bigquery")
        if cls.needs_api_key and on and not secret and key is not None and not key.get_secret_value():
            raise PydanticCustomError(HIDDEN, NO_API_KEY)
        return secret

    @model_validator(mode="after")
    def _streams_can_be(self) -> "SecOpsSettings":
        self.streams()
        for variable, names in (
            ("STREAMS_TO_SECOPS", self.streams_to_secops or ()),
            ("STREAMS_TO_BIGQUERY", self.streams_to_bigquery),
        ):
            if others := [name for name in names if name not in self.stream_names]:
                raise ValueError(f"{variable}: {others[0]!r} is not collected; name it in STREAMS too")
        if self.on and (idle := set(self.stream_names) - {stream.name for stream in self.polled()}):
            raise ValueError(
                f"STREAMS: {min(idle)!r} goes nowhere; name it in STREAMS_TO_SECOPS or STREAMS_TO_BIGQUERY, or leave it"
                " out"
            )
        return self

    @property
    def deadline(self) -> timedelta:
        """How long one poll may take."""
        return timedelta(seconds=self.deadline_seconds)

    @property
    def second_look(self) -> timedelta:
        """How far back a poll looks once a day for missed items; 0 for never."""
        return timedelta(hours=self.second_look_hours)

    def polled(self) -> tuple[Stream, ...]:
        """Return the streams that go anywhere."""
        return tuple(one for one in self.streams() if one.to_secops or one.name in self.streams_to_bigquery)

    def delivered(self) -> tuple[Stream, ...]:
        """Return the streams that go to SecOps."""
        return tuple(one for one in self.streams() if one.to_secops)

    def streams(self) -> tuple[Stream, ...]:
        """Return the streams that are switched on, with log types and the environment's changes to the main one."""
        return tuple(self._adjusted(find_stream(name)) for name in self.stream_names)

    def _adjusted(self, stream: Stream) -> Stream:
        to_secops = self.on and stream.name in delivered_streams(vars(self))
        chosen = stream.model_copy(update={"log_type": self.log_type_of(stream.name), "to_secops": to_secops})
        if stream.name == ALERT_STREAM:
            return chosen.model_copy(update={"filter": self._alert_query()})
        if stream.name != MAIN_STREAM:
            return chosen
        given = {
            "filter": ("VT_FILTERS", self.filters),
            "order": ("VT_ORDER", self.order or None),
            "look_back_minutes": ("VT_DATE_FILTER", self.look_back),
        }
        changes = {field: value for field, (_, value) in given.items() if value is not None}
        try:
            return Stream.model_validate({**chosen.model_dump(), **changes})
        except ValidationError as error:
            names = ", ".join(f"{name}={value!r}" for name, value in given.values() if value is not None)
            raise ValueError(f"{names}: {describe_errors(error)}") from None

    def _alert_query(self) -> str:
        refs = f"refs={str(self.dtm_refs).lower()}"
        return f"{refs}&truncate={self.dtm_truncate}" if self.dtm_truncate else refs
