"""Whether a feed or stream is switched on in this revision."""

from collections.abc import Collection
from typing import Literal

from shared.contracts.outcomes import DeadLetterType, Poison
from shared.feeds.definition import known_feeds

Kind = Literal["feed", "stream"]
_TYPES: dict[Kind, DeadLetterType] = {"feed": "feed_off", "stream": "stream_off"}


class NotSwitchedOn(Poison):
    """The setting FEEDS, STREAMS_TO_BIGQUERY or STREAMS does not have this name."""


def require_switched_on(kind: Kind, name: str, known: Collection[str]) -> None:
    """Raise NotSwitchedOn with the names that are switched on, unless this name is one of them."""
    if name not in known:
        raise NotSwitchedOn(_TYPES[kind], not_switched_on(kind, name, known))


def not_switched_on(kind: Kind, name: str, known: Collection[str], setting: str = "") -> str:
    """Return the reason for refusing a feed or stream, with the names that are switched on by a setting."""
    if not setting:
        setting = _setting(kind, name)
        known = [one for one in known if _setting(kind, one) == setting]
    return f"{kind} {name!r} is not switched on here; {setting} has: {', '.join(known) or 'none'}"


def _setting(kind: Kind, name: str) -> str:
    if kind == "stream":
        return "STREAMS"
    return known_feeds()[name].setting if name in known_feeds() else "FEEDS"


def is_feed_on(name: str, on: Collection[str]) -> bool:
    """Return whether to process a message about this feed; raise NotSwitchedOn for an unknown feed.

    While a feed is being switched on, some services get the new revision before others: a message about a known feed
    that is off is acked without a record, and the sweep requests the minute again.
    """
    if name not in on and name in known_feeds():
        return False
    require_switched_on("feed", name, on)
    return True
