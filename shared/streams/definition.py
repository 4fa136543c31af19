"""The streams of the SecOps forwarder, read from `streams.yaml`: their queries, and the key and date of their items."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from shared.contracts.messages import Name
from shared.contracts.outcomes import Misconfigured
from shared.contracts.validation_errors import describe_errors
from shared.runtime.json_bytes import write_json

JsonObject = dict[str, object]

# The API refuses larger pages (docs.virustotal.com/reference, ioc_stream).
LARGEST_PAGE = 40
_LARGEST_SEARCH = 1000
# The list of collections, and the relations of one (gtidocs.virustotal.com/reference/collections).
COLLECTIONS = "/collections"
RELATIONS = frozenset(
    {
        *("files", "urls", "domains", "ip_addresses", "threat_actors", "malware_families", "campaigns", "reports"),
        *("vulnerabilities", "software_toolkits", "attack_techniques", "references", "related_collections"),
    }
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


ListingKind = Literal["ascending", "by_update", "windows"]
"""How a list is read.

`ascending`: the oldest item first, from a date in the filter on. `by_update`: the item that was updated last first,
without a bound. `windows`: by searches between two dates, each with so few hits that the source counts them all.
"""

# The sign at the end of an order.
_SIGNS: dict[ListingKind, str] = {"ascending": "+", "by_update": "-", "windows": ""}
# The length of a version that is a digest: 128 bits, in hexadecimal digits.
_DIGEST = 32

Path = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$")]
Order = Annotated[str, Field(pattern=r"^[a-z_]+[+-]?$")]
LogType = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,127}$")]

# Google's log types whose default parsers expect an item byte for byte as the API gives it
# (docs.cloud.google.com/chronicle/docs/ingestion/parser-list; GCP_THREATINTEL has one since 2025-11-25).
VERBATIM_LOG_TYPES = frozenset({"GCP_THREATINTEL"})


class Stream(BaseModel):
    """One stream: `date_term` bounds it in a filter, `date_field` dates an item, `key` identifies it.

    An item that changes comes again; `version` has the fields that identify its versions. If no field does, a version
    is the digest of the item without its fields in `unversioned`, and an item may return to an earlier version.
    `listing` says how the list is read, `page_size` is the most items that the source gives at once.
    After a refusal the source is left alone for `pause_minutes`.
    The source deletes an item after `kept_days`; without it, never. `google_log_type` is Google's log type for these
    items, if there is one; `log_type` is the one that the environment chooses. `parser` is the project's parser for
    the items in SecOps, if there is one: `infra/secops/<parser>.conf`.
    `to_secops` is False for a stream that the environment sends to BigQuery alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    path: Annotated[str, Field(pattern=r"^(/[a-z_]+)+$")]
    filter: str
    listing: ListingKind = "ascending"
    order: Order
    date_term: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    date_field: Path
    key: Annotated[tuple[Path, ...], Field(min_length=1)]
    version: tuple[Path, ...] = ()
    unversioned: tuple[Annotated[str, Field(pattern=r"^[a-z_]+$")], ...] = ()
    log_type_variable: Annotated[str, Field(pattern=r"^CHRONICLE_LOG_TYPE[A-Z_]*$")]
    google_log_type: LogType | None = None
    parser: Name | None = None
    log_type: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]{0,127})?$")] = ""
    to_secops: bool = True
    page_size: Annotated[int, Field(ge=1, le=_LARGEST_SEARCH)] = LARGEST_PAGE
    look_back_minutes: Annotated[int, Field(ge=0, le=7 * 24 * 60)]
    kept_days: Annotated[int, Field(ge=1)] | None = None
    pause_minutes: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _filter_has_no_date(self) -> "Stream":
        dated = [term for term in self.filter.split() if term.startswith(f"{self.date_term}:")]
        if dated:
            raise ValueError(f"filter has {dated[0]!r}: the forwarder sets the date itself; leave the date out")
        return self

    @model_validator(mode="after")
    def _order_is_that_of_the_listing(self) -> "Stream":
        # The collector continues from a date, so no other order can be continued.
        wanted = f"{self.date_term}{_SIGNS[self.listing]}"
        if self.order != wanted:
            raise ValueError(f"order {self.order!r}: this list is read by its date alone, as {wanted}")
        return self

    @model_validator(mode="after")
    def _windows_have_digests(self) -> "Stream":
        if (self.listing == "windows") != bool(self.unversioned) or (self.version and self.unversioned):
            raise ValueError(
                "a list that is read in windows has `unversioned` fields and no `version`; others have none"
            )
        return self

    @property
    def terms(self) -> frozenset[str]:
        """The names of the filter's terms and of the date's."""
        return frozenset(term.partition(":")[0] for term in (*self.filter.split(), self.date_term))

    @property
    def verbatim(self) -> bool:
        """Whether its log type has Google's default parser, which takes items only as the source gave them."""
        return self.log_type in VERBATIM_LOG_TYPES

    @property
    def look_back(self) -> timedelta:
        """How far back the first pass begins."""
        return timedelta(minutes=self.look_back_minutes)

    @property
    def kept(self) -> timedelta | None:
        """How long the source keeps an item; None means for ever."""
        return timedelta(days=self.kept_days) if self.kept_days else None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of an item's key, version and date."""
        return tuple(dict.fromkeys((*self.key, *self.version, self.date_field)))

    def signature(self) -> str:
        """Return everything that a cursor depends on; a cursor is valid only for its signature."""
        return f"{self.path} {self.filter} {self.order}"

    def filter_from(self, begin: datetime) -> str:
        """Return the filter for everything from a time on."""
        return f"{self.filter} {self.date_term}:{begin.astimezone(UTC):%Y-%m-%dT%H:%M:%S}+".strip()

    def date_of(self, item: JsonObject) -> datetime | None:
        """Return an item's date, or None if it has none: seconds since 1970, or a text in RFC 3339."""
        value = look_up(item, self.date_field)
        try:
            date = datetime.fromisoformat(value) if isinstance(value, str) else _from_seconds(value)
            date = date.astimezone(UTC) if date and date.tzinfo else None
        except (OverflowError, ValueError, OSError):
            return None
        # Zero times of several languages are before 1970.
        return date if date and date > _EPOCH else None

    def content(self, item: JsonObject, text: bytes) -> tuple[JsonObject | None, bytes]:
        """Return what is sent of an item: all of it, parsed (None for a verbatim log type) and as it came."""
        return None if self.verbatim else item, text

    def labels(self, item: JsonObject) -> dict[str, str]:
        """Return the labels of an item's log."""
        del item
        return {"stream": self.name}

    def happened(self, item: JsonObject) -> datetime | None:
        """Return when this version of an item came to be, or None if it does not say so."""
        return None if self.unversioned else self.date_of(item)

    def key_of(self, item: JsonObject) -> str | None:
        """Return the key of one version of an item, or None if a part of it is missing.

        The item may have its `fields` alone, except for a stream with `unversioned` fields.
        """
        parts = [look_up(item, path) for path in (*self.key, *self.version)]
        parts += [self._digest_of(item)] if self.unversioned else []
        if None in parts:
            return None
        # Half of a surrogate pair would be another text once it is stored.
        return " ".join(map(str, parts)).encode(errors="backslashreplace").decode()

    def _digest_of(self, item: JsonObject) -> str:
        content = {name: value for name, value in item.items() if name not in self.unversioned}
        return hashlib.sha256(write_json(content, sort=True)).hexdigest()[:_DIGEST]


def _from_seconds(value: object) -> datetime | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return datetime.fromtimestamp(value, UTC)


def look_up(item: object, path: str) -> object:
    """Return the value at a dotted path, or None."""
    for part in path.split("."):
        item = item.get(part) if isinstance(item, dict) else None
    return item


_DECLARED: TypeAdapter[dict[str, JsonObject]] = TypeAdapter(dict[str, JsonObject])


def read_streams(text: str, source: str) -> dict[str, Stream]:
    """Read streams by name; raise Misconfigured with the file, the place and the reason."""
    try:
        declared = _DECLARED.validate_python(yaml.safe_load(text))
        return {name: Stream.model_validate({"name": name, **fields}) for name, fields in declared.items()}
    except ValidationError as error:
        raise Misconfigured(f"{source}: {describe_errors(error)}") from None
    except yaml.YAMLError as error:
        raise Misconfigured(f"{source}: {' '.join(str(error).split())}") from None


@cache
def known_streams() -> dict[str, Stream]:
    """Return every stream of this distribution, by name."""
    entry = resources.files("shared.streams") / "streams.yaml"
    return read_streams(entry.read_text(encoding="utf-8"), "shared/streams/streams.yaml")


def find_stream(name: str) -> Stream:
    """Return a stream by name; raise Misconfigured with the known names if it is unknown."""
    try:
        return known_streams()[name]
    except KeyError:
        raise Misconfigured(f"unknown stream {name!r}; known streams: {', '.join(known_streams())}") from None
