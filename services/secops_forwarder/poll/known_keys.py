"""The keys that a page of the log has to remember: those that the source can return again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.secops_forwarder.poll.page_buffer import BufferedPage
from shared.streams.page_log import PageHead


@dataclass(frozen=True)
class SourcePage:
    """The source page that was read last: its cursor and the keys on it."""

    cursor: str | None
    keys: frozenset[str]

    def keys_behind(self, cursor: str | None) -> frozenset[str]:
        """Return the known keys that the source returns again for this cursor."""
        return self.keys if cursor is not None and cursor == self.cursor else frozenset()


def logged(last: PageHead | None, buffered: BufferedPage, now: datetime) -> dict[str, datetime]:
    """Return the keys known to a page with these items: its predecessor's and theirs, with their dates."""
    # An item without a date may be anywhere in the list up to now.
    return {**(last.seen if last else {}), **{item.key: item.date or now for item in buffered.items}}


def remembered(
    known: Mapping[str, datetime], since: datetime, again: frozenset[str] = frozenset()
) -> dict[str, datetime]:
    """Return the keys that the source can return again: from `since` on, or in `again`."""
    # Filters have a resolution of seconds, so the next pass begins up to a second before `since`.
    begin = since.replace(microsecond=0)
    return {key: date for key, date in known.items() if date >= begin or key in again}
