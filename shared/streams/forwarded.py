"""What goes to SecOps under one log type: the items of a stream, or the landed lines of a feed."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import THREAT_LISTS
from shared.streams.definition import VERBATIM_LOG_TYPES, JsonObject, find_stream, look_up

# Other feeds are observations by the million, which no SIEM wants.
FORWARDED_FEEDS = (THREAT_LISTS,)

# A line as services/downloader/lines.py frames it, up to the object, and an object of threat lists up to the element as
# services/downloader/threat_lists.py writes it. A quotation mark inside of a JSON string is escaped.
_TO_OBJECT = re.compile(rb'\{"feed_minute":"[^"]*","feed_line":[0-9]+,"id":"(?:[^"\\]|\\.)*","object":')
_TO_ELEMENT = re.compile(rb'\{"threat_list":"(?:[^"\\]|\\.)*",(?:"cut":true,)?')


class Forwarded(Protocol):
    """A stream, or a feed whose landings are sent."""

    @property
    def name(self) -> str:
        """The name of the stream or feed."""

    @property
    def log_type(self) -> str:
        """The log type that the environment chooses."""

    @property
    def parser(self) -> str | None:
        """The name of this project's parser of these items below infra/secops, if there is one."""

    @property
    def verbatim(self) -> bool:
        """Whether the log type takes items only as the source gave them."""

    def key_of(self, item: JsonObject) -> str | None:
        """Return what identifies an item, or None."""

    def date_of(self, item: JsonObject) -> datetime | None:
        """Return an item's date, or None."""

    def happened(self, item: JsonObject) -> datetime | None:
        """Return the time of an item's log, or None for that of the landing."""

    def content(self, item: JsonObject, text: bytes) -> tuple[JsonObject | None, bytes]:
        """Return what is sent of an item, which is read from `text`: parsed, and as the bytes that the source gave.

        A verbatim log type gets the bytes: the first is None. Raises ValueError for an item that has another shape.
        """

    def labels(self, item: JsonObject) -> dict[str, str]:
        """Return the labels of an item's log."""


@dataclass(frozen=True)
class ForwardedFeed:
    """A feed of FORWARDED_FEEDS; its items are whole lines of landings.

    A verbatim log type gets only the element of the threat list that a line has. Any other one gets the line's object,
    which also has the list's name.
    """

    name: str
    log_type: str
    parser: str | None = "gti_ioc_stream"

    @property
    def verbatim(self) -> bool:
        """Whether the log type takes elements only as the source gave them."""
        return self.log_type in VERBATIM_LOG_TYPES

    def key_of(self, item: JsonObject) -> str | None:
        """Return a line's id, which has the list, the type and the indicator."""
        key = item.get("id")
        return key if isinstance(key, str) else None

    def date_of(self, item: JsonObject) -> datetime | None:
        """Return the hour of a line: attributes are those of the download, so no date in them is the listing's."""
        try:
            return datetime.fromisoformat(str(item.get("feed_minute"))).astimezone(UTC)
        except ValueError:
            return None

    def happened(self, item: JsonObject) -> datetime | None:
        """Return the hour of a line."""
        return self.date_of(item)

    def content(self, item: JsonObject, text: bytes) -> tuple[JsonObject | None, bytes]:
        """Return the element or the object of a line; raise ValueError if it is no line of a landing."""
        found, framed = item.get("object"), _TO_OBJECT.match(text)
        listed = _TO_ELEMENT.match(text, framed.end()) if framed else None
        if not (isinstance(found, dict) and framed and listed):
            raise ValueError("not a line of a landed hour of threat lists")
        if self.verbatim:
            return None, b"{" + text[listed.end() : -1]
        return found, text[framed.end() : -1]

    def labels(self, item: JsonObject) -> dict[str, str]:
        """Return feed and list."""
        return {"feed": self.name, "threat_list": str(look_up(item, "object.threat_list"))}


def find_forwarded(name: str) -> Forwarded:
    """Return a stream or feed by name, without a log type; raise Misconfigured if it is unknown."""
    return ForwardedFeed(name, "") if name in FORWARDED_FEEDS else find_stream(name)


def require_forwarded_feed(name: str) -> None:
    """Raise Misconfigured unless the landings of a feed can be sent."""
    if name not in FORWARDED_FEEDS:
        raise Misconfigured(
            f"the feed {name!r} cannot be sent to SecOps; SECOPS_FEEDS can have: {', '.join(FORWARDED_FEEDS)}"
        )
