"""The streams that the SecOps forwarder carries, read from `streams.yaml`: where to ask, how to date and tell items."""

from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from shared.messages import Name
from shared.outcomes import Misconfigured
from shared.problems import problems

JsonObject = dict[str, object]

# The API refuses larger pages (docs.virustotal.com/reference, ioc_stream).
LARGEST_PAGE = 40


def _ascending(order: str) -> str:
    # A page of a descending walk says nothing about what lies before it, so a log of pages could never be continued.
    if not order.endswith("+"):
        raise ValueError(f"order {order!r} is not ascending; write it with a plus, as date+")
    return order


Path = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$")]
AscendingOrder = Annotated[str, Field(pattern=r"^[a-z_]+[+-]?$"), AfterValidator(_ascending)]
LogType = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,127}$")]


class Stream(BaseModel):
    """One stream: `date_term` bounds it in a filter, `date_field` dates an item, `key` tells notifications apart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    path: Annotated[str, Field(pattern=r"^(/[a-z_]+)+$")]
    filter: str
    order: AscendingOrder
    date_term: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    date_field: Path
    key: Annotated[tuple[Path, ...], Field(min_length=1)]
    log_type: LogType
    look_back_minutes: Annotated[int, Field(ge=0, le=7 * 24 * 60)]

    @model_validator(mode="after")
    def _dates_are_the_mesh_own(self) -> "Stream":
        dated = [term for term in self.filter.split() if term.startswith(f"{self.date_term}:")]
        if dated:
            raise ValueError(f"filter has {dated[0]!r}: where to begin is the forwarder's to say; leave the date out")
        return self

    @property
    def look_back(self) -> timedelta:
        """How far back the very first walk begins."""
        return timedelta(minutes=self.look_back_minutes)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of an item that tell it from others, and when it happened."""
        return (*self.key, self.date_field)

    def signature(self) -> str:
        """Return what a cursor depends on; a cursor of another signature leads into another stream."""
        return f"{self.path} {self.filter} {self.order}"

    def filter_from(self, begin: datetime) -> str:
        """Return the filter for everything from a moment on."""
        return f"{self.filter} {self.date_term}:{begin.astimezone(UTC):%Y-%m-%dT%H:%M:%S}+".strip()

    def date_of(self, item: JsonObject) -> datetime | None:
        """Return when an item happened, or None when it does not say so in epoch seconds."""
        value = look_up(item, self.date_field)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, ValueError, OSError):
            return None

    def key_of(self, item: JsonObject) -> str | None:
        """Return what tells a notification from all others, or None when a part of it is missing."""
        parts = [look_up(item, path) for path in self.key]
        return None if None in parts else " ".join(str(part) for part in parts)


def look_up(item: object, path: str) -> object:
    """Return what stands at a dotted path, or None."""
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
        raise Misconfigured(f"{source}: {problems(error)}") from None
    except yaml.YAMLError as error:
        raise Misconfigured(f"{source}: {' '.join(str(error).split())}") from None


@cache
def known_streams() -> dict[str, Stream]:
    """Return every stream of this distribution, by name."""
    entry = resources.files("shared") / "streams.yaml"
    return read_streams(entry.read_text(encoding="utf-8"), "shared/streams.yaml")


def find_stream(name: str) -> Stream:
    """Return a stream by name; raise Misconfigured with the known names when there is none."""
    try:
        return known_streams()[name]
    except KeyError:
        raise Misconfigured(f"unknown stream {name!r}; known streams: {', '.join(known_streams())}") from None
