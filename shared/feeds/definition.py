"""A feed's definition, read from its YAML file: where to fetch it, how to order versions, which columns to promote."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.contracts.messages import Name
from shared.contracts.minutes import ONE_HOUR, ONE_MINUTE, Period
from shared.contracts.outcomes import Misconfigured
from shared.contracts.validation_errors import describe_errors

ColumnType = Literal["STRING", "INT64", "FLOAT64", "BOOL", "TIMESTAMP", "ARRAY<STRING>"]
JsonPath = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*(\.\*\.[A-Za-z0-9_]+|\[\]\.[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*)?$"),
]
EVERY_KEY = ".*."
EVERY_ELEMENT = "[]."
THREAT_LISTS = "threat_lists"
# A definition with this field has everything of another one, and its own columns after that one's.
_LIKE = "like"


class Headline(BaseModel):
    """A typed column of the newest versions, taken from a path inside the feed's object.

    TIMESTAMP columns are epoch seconds at the source, or with `as_text` a text in RFC 3339. A value that does not fit
    its type becomes NULL.

    A path `ranks.*.rank` goes through an object with arbitrary keys, such as names of providers: the column is the
    smallest whole number at `rank` in any of them. A path `data[].id` goes through a list of objects: the column has
    the text at `id` of each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    type: ColumnType
    path: JsonPath
    description: Annotated[str, Field(min_length=1, max_length=1024)]
    as_text: bool = False

    @model_validator(mode="after")
    def _type_fits_the_path(self) -> "Headline":
        if EVERY_KEY in self.path and self.type != "INT64":
            raise ValueError(f"path {self.path!r} takes the minimum of several values, so the type must be INT64")
        if EVERY_ELEMENT in self.path and self.type != "ARRAY<STRING>":
            raise ValueError(f"path {self.path!r} takes a text of each element, so the type must be ARRAY<STRING>")
        if self.as_text and self.type != "TIMESTAMP":
            raise ValueError(f"as_text says how a TIMESTAMP is written, and the type is {self.type}")
        return self


class Feed(BaseModel):
    """One feed: a package every minute or hour, which the source serves lag_minutes after its first minute.

    identity are the paths whose values, joined by slashes, are a line's id. source `streams` means the log of pages of
    the stream with this name (shared/streams): its items are lines by the hour in which their page landed. version has
    the dates that order the observations of an id; without any, the latest observation is the newest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    path: Annotated[str, Field(pattern=r"^[a-z][a-z_-]*$")]
    object_type: Name
    licence: str
    description: str
    period: Literal["minute", "hour"] = "minute"
    lag_minutes: Annotated[int, Field(ge=1, lt=1440)] = 60
    source: Literal["feeds", "threat_lists", "streams"] = "feeds"
    identity: Annotated[tuple[JsonPath, ...], Field(min_length=1)] = ("id",)
    version: tuple[Name, ...]
    headline: Annotated[tuple[Headline, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _columns_fit_together(self) -> "Feed":
        names = [column.name for column in self.headline]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"headline columns named twice: {', '.join(twice)}")
        if taken := sorted({"id", "feed_minute", "feed_line", "object", "merged_at", "folded_at"} & set(names)):
            raise ValueError(f"headline columns with a reserved name: {', '.join(taken)}")
        dates = {column.name for column in self.headline if column.type == "TIMESTAMP"}
        if missing := [name for name in self.version if name not in dates]:
            raise ValueError(f"version columns that are not TIMESTAMP headline columns: {', '.join(missing)}")
        return self

    @property
    def setting(self) -> Literal["FEEDS", "STREAMS_TO_BIGQUERY"]:
        """The setting that switches it on."""
        return "STREAMS_TO_BIGQUERY" if self.source == "streams" else "FEEDS"

    def every(self) -> Period:
        """Return how often the feed has a package, and how late."""
        length = ONE_MINUTE if self.period == "minute" else ONE_HOUR
        return Period(length, timedelta(minutes=self.lag_minutes), is_kept=self.source == "streams")


def read_feed(text: str, source: str) -> Feed:
    """Read one definition; raise Misconfigured with the file, the field and the reason."""
    return _parse(_read_yaml(text, source), source)


def _read_yaml(text: str, source: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Misconfigured(f"{source}: {' '.join(str(error).split())}") from None


def _parse(written: object, source: str) -> Feed:
    try:
        return Feed.model_validate(written)
    except ValidationError as error:
        raise Misconfigured(f"{source}: {describe_errors(error)}") from None


@cache
def known_feeds() -> dict[str, Feed]:
    """Return every feed that has a YAML file in this package, by name; streams are last."""
    files = sorted(
        (entry for entry in resources.files("shared.feeds").iterdir() if entry.name.endswith(".yaml")),
        key=lambda entry: entry.name,
    )
    return read_feeds({entry.name: entry.read_text(encoding="utf-8") for entry in files})


def read_feeds(texts: Mapping[str, str]) -> dict[str, Feed]:
    """Read definitions by the names of their files; raise Misconfigured as read_feed() does."""
    written = {source: _read_yaml(text, source) for source, text in texts.items()}
    feeds = [_parse(_completed(one, written), source) for source, one in written.items()]
    return {feed.name: feed for feed in sorted(feeds, key=lambda feed: feed.source == "streams")}


def _completed(written: object, others: Mapping[str, object]) -> object:
    if not isinstance(written, dict) or _LIKE not in written:
        return written
    model = others.get(f"{written[_LIKE]}.yaml")
    if not isinstance(model, dict):
        return written
    added = {name: value for name, value in written.items() if name != _LIKE}
    return {**model, **added, "headline": [*model.get("headline", ()), *added.get("headline", ())]}


def find_feed(name: str) -> Feed:
    """Return a feed by name; raise Misconfigured with the known names if it is unknown."""
    try:
        return known_feeds()[name]
    except KeyError:
        raise Misconfigured(f"unknown feed {name!r}; known feeds: {', '.join(known_feeds())}") from None


def find_package_feed(name: str) -> Feed:
    """Return a feed whose packages VirusTotal serves; raise Misconfigured for a stream, or an unknown one."""
    known = known_feeds()
    if name in known and known[name].source == "streams":
        raise Misconfigured(f"{name!r} is a stream: name it in STREAMS_TO_BIGQUERY, and in STREAMS")
    if name not in known:
        names = (one.name for one in known.values() if one.source != "streams")
        raise Misconfigured(f"unknown feed {name!r}; known feeds: {', '.join(names)}")
    return known[name]


def find_stream_feed(name: str) -> Feed:
    """Return the feed of a stream; raise Misconfigured with the known streams for another name."""
    streams = {one.name: one for one in known_feeds().values() if one.source == "streams"}
    if name not in streams:
        hint = f"; {name} is a feed: name it in FEEDS" if name in known_feeds() else ""
        raise Misconfigured(f"unknown stream {name!r}{hint}; known streams: {', '.join(streams)}")
    return streams[name]


def period_of(name: str) -> Period:
    """Return how often a known feed has a package, by its definition; raise Misconfigured for an unknown one."""
    return find_feed(name).every()
