"""The streams that are switched on, and the log type of each.

Log types belong to a tenant: its own are named `..._CUSTOM`, and it is not known beforehand which exist. So there is no
default, and a start without a log type is refused with the possible values.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

from shared.contracts.validation_errors import HIDDEN
from shared.runtime.setting_types import CommaList, known_by, stray_character
from shared.runtime.settings import MeshSettings
from shared.streams.definition import VERBATIM_LOG_TYPES, Stream, find_stream

# The stream that VT_FILTERS, VT_ORDER and VT_DATE_FILTER apply to.
MAIN_STREAM = "ioc_stream"
# The stream that DTM_REFS and DTM_TRUNCATE apply to.
ALERT_STREAM = "dtm_alerts"

_FIELD = "log_type_"
_CHARACTERS = re.compile(r"[A-Z0-9_]", re.ASCII)


def _log_type(text: str) -> str:
    if found := stray_character(text, _CHARACTERS):
        raise ValueError(f"{found}, which no log type has; write it as SecOps shows it, for example GCP_THREATINTEL")
    return text


def _chosen(text: str, info: ValidationInfo) -> str:
    name = str(info.field_name).removeprefix(_FIELD)
    # A field with an error of its own is missing here; that error is reported separately.
    on = info.data.get("customer_id", "wrong")
    if on and not text and name in delivered_streams(info.data):
        raise PydanticCustomError(HIDDEN, "{text}", {"text": _choice(find_stream(name))})
    return text


def delivered_streams(data: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of the streams that go to SecOps, from the fields of the settings."""
    chosen: Sequence[str] | None = data.get("streams_to_secops")
    names: Sequence[str] = data.get("stream_names", ())
    return names if chosen is None else chosen


def _choice(stream: Stream) -> str:
    ways = "a log type of your tenant's own (SecOps appends _CUSTOM to its name)"
    if stream.parser:
        ways += f", with the parser infra/secops/{stream.parser}.conf"
    if stream.google_log_type in VERBATIM_LOG_TYPES:
        google = "Google's parser makes entities of the items, which are sent unchanged"
        ways = f"{stream.google_log_type} ({google}), or to {ways}"
    elif stream.google_log_type:
        ways = f"{stream.google_log_type} (Google's, without a parser), or to {ways}"
    return f"no log type for the stream {stream.name}: set {stream.log_type_variable} to {ways}; see docs/secops.md"


LogTypeName = Annotated[str, AfterValidator(_log_type)]
StreamLogType = Annotated[LogTypeName, AfterValidator(_chosen)]


class StreamSettings(BaseSettings):
    """One field for each stream's log type, named after the stream."""

    model_config = MeshSettings.model_config

    stream_names: Annotated[CommaList, known_by(find_stream)] = Field((MAIN_STREAM,), validation_alias="STREAMS")
    # All of them, unless it is set.
    streams_to_secops: Annotated[CommaList, known_by(find_stream)] | None = Field(
        None, validation_alias="STREAMS_TO_SECOPS"
    )
    log_type_ioc_stream: StreamLogType = Field("", validation_alias="CHRONICLE_LOG_TYPE")
    log_type_vulnerabilities: StreamLogType = Field("", validation_alias="CHRONICLE_LOG_TYPE_VULNERABILITIES")
    log_type_threat_actors: StreamLogType = Field("", validation_alias="CHRONICLE_LOG_TYPE_THREAT_ACTORS")
    log_type_malware_families: StreamLogType = Field("", validation_alias="CHRONICLE_LOG_TYPE_MALWARE_FAMILIES")
    log_type_campaigns: StreamLogType = Field("", validation_alias="CHRONICLE_LOG_TYPE_CAMPAIGNS")
    log_type_reports: StreamLogType = Field("", validation_alias="CHRONICLE_LOG_TYPE_REPORTS")
    log_type_software_toolkits: StreamLogType = Field("", validation_alias="CHRONICLE_LOG_TYPE_SOFTWARE_TOOLKITS")
    log_type_collections: StreamLogType = Field("", validation_alias="CHRONICLE_LOG_TYPE_COLLECTIONS")
    log_type_dtm_alerts: StreamLogType = Field("", validation_alias="CHRONICLE_LOG_TYPE_DTM_ALERTS")
    log_type_asm_issues: StreamLogType = Field("", validation_alias="CHRONICLE_LOG_TYPE_ASM_ISSUES")

    def log_type_of(self, stream: str) -> str:
        """Return a stream's log type, or nothing if none is chosen."""
        chosen: str = getattr(self, f"{_FIELD}{stream}")
        return chosen
