"""A feed's definition, read from its YAML file: where to fetch it, how to order versions, which columns to promote."""

from functools import cache
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.messages import Name
from shared.outcomes import Misconfigured
from shared.problems import problems

ColumnType = Literal["STRING", "INT64", "FLOAT64", "BOOL", "TIMESTAMP", "ARRAY<STRING>"]
JsonPath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*(\.\*\.[A-Za-z0-9_]+)?$")]
EVERY_KEY = ".*."


class Headline(BaseModel):
    """A typed column of `<feed>_current`, taken from a path inside the feed's object.

    TIMESTAMP columns are epoch seconds at the source. A value that does not fit its type becomes NULL.

    A path `ranks.*.rank` goes through an object whose keys nobody knows beforehand, such as names of providers: the
    column is the least whole number that stands under `rank` anywhere in `ranks`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    type: ColumnType
    path: JsonPath
    description: Annotated[str, Field(min_length=1, max_length=1024)]

    @model_validator(mode="after")
    def _only_numbers_have_a_least(self) -> "Headline":
        if EVERY_KEY in self.path and self.type != "INT64":
            raise ValueError(f"path {self.path!r} takes the least of many, so the type must be INT64")
        return self


class Feed(BaseModel):
    """One VirusTotal feed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    path: Annotated[str, Field(pattern=r"^[a-z][a-z_-]*$")]
    object_type: Name
    licence: str
    description: str
    version: Annotated[tuple[Name, ...], Field(min_length=1)]
    headline: Annotated[tuple[Headline, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _columns_fit_together(self) -> "Feed":
        names = [column.name for column in self.headline]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"headline columns named twice: {', '.join(twice)}")
        if taken := sorted({"id", "feed_minute", "feed_line", "object"} & set(names)):
            raise ValueError(f"headline columns with a reserved name: {', '.join(taken)}")
        dates = {column.name for column in self.headline if column.type == "TIMESTAMP"}
        if missing := [name for name in self.version if name not in dates]:
            raise ValueError(f"version columns that are no TIMESTAMP headline column: {', '.join(missing)}")
        return self


def read_feed(text: str, source: str) -> Feed:
    """Read one definition; raise Misconfigured with the file, the place and the reason."""
    try:
        return Feed.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise Misconfigured(f"{source}: {problems(error)}") from None
    except yaml.YAMLError as error:
        raise Misconfigured(f"{source}: {' '.join(str(error).split())}") from None


@cache
def known_feeds() -> dict[str, Feed]:
    """Return every feed that has a YAML file in this package, by name."""
    files = sorted(
        (entry for entry in resources.files("shared.feeds").iterdir() if entry.name.endswith(".yaml")),
        key=lambda entry: entry.name,
    )
    feeds = [read_feed(entry.read_text(encoding="utf-8"), entry.name) for entry in files]
    return {feed.name: feed for feed in feeds}


def find_feed(name: str) -> Feed:
    """Return a feed by name; raise Misconfigured with the known names when there is none."""
    try:
        return known_feeds()[name]
    except KeyError:
        raise Misconfigured(f"unknown feed {name!r}; known feeds: {', '.join(known_feeds())}") from None
