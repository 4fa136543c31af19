"""The body of a logs:import request, built from byte strings so that its size is known beforehand.

Shape: googleapis, google/cloud/chronicle/v1beta/ingestion.proto. A page always makes the same bytes, at any time and on
any machine, so that SecOps can detect duplicate batches.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from services.secops_forwarder.importer.cleaning import write_cleaned
from shared.runtime.json_bytes import write_json, write_list
from shared.streams.definition import JsonObject
from shared.streams.forwarded import Forwarded
from shared.streams.page_log import PageHead

# The maximum overhead of an entry over the base64 of its data: names, two times, and the labels without values.
_FRAME_BYTES = 400
# collection_time must be after log_entry_time.
_LATER = timedelta(milliseconds=1)
_AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class Form:
    """The constant parts of entries and requests."""

    clean: bool = True
    namespace: str = ""
    use_case: str = ""
    forwarder: str = ""
    source: str = ""

    @cached_property
    def head(self) -> bytes:
        """The bytes before the first entry.

        Without a source file name, logs of some types were accepted but never found
        (github.com/google/secops-wrapper/issues/213).
        """
        named = {"forwarder": self.forwarder, "source_filename": self.source}
        given = b"".join(b'"%b":%b,' % (name.encode(), write_json(value)) for name, value in named.items() if value)
        return b'{"inline_source":{%b"logs":[' % given

    @property
    def tail(self) -> bytes:
        """The bytes after the last entry."""
        return b"]}}"

    def size(self, entries_bytes: int, count: int) -> int:
        """Return the size of a request with these entries' total bytes and count."""
        return len(self.head) + entries_bytes + max(0, count - 1) + len(self.tail)

    def body(self, entries: list[bytes]) -> bytes:
        """Return the request body with these entries."""
        return write_list(self.head, entries, self.tail)

    def entry(self, item: JsonObject, text: bytes, forwarded: Forwarded, page: PageHead) -> bytes:
        """Return one item, read from the JSON `text`, as an element of `logs`.

        Raises ValueError if it has an unexpected shape, or is nested too deeply to be cleaned.
        """
        content, unchanged = forwarded.content(item, text)
        data = _cleaned(content) if self.clean and content is not None else unchanged
        at = happened(forwarded.happened(item), page.landed_at)
        labels = {**forwarded.labels(item), **({"use_case": self.use_case} if self.use_case else {})}
        fields: JsonObject = {
            "log_entry_time": rfc3339(at),
            "collection_time": rfc3339(max(page.landed_at, at + _LATER)),
            "labels": {name: {"value": value} for name, value in labels.items()},
        }
        if self.namespace:
            fields["environment_namespace"] = self.namespace
        # Base64 needs no escaping, and a JSON encoder would scan every byte of it.
        return b"".join((b'{"data":"', base64.b64encode(data), b'",', write_json(fields)[1:]))

    def most(self, raw_bytes: int) -> int:
        """Return the maximum size of an entry of an item with this many bytes, including the separator."""
        return (raw_bytes + 2) // 3 * 4 + _FRAME_BYTES + 6 * len(self.namespace) + 6 * len(self.use_case)


def _cleaned(item: JsonObject) -> bytes:
    try:
        return write_cleaned(item)
    except RecursionError:
        raise ValueError("nested too deeply to be cleaned; SECOPS_CLEAN=false sends items unchanged") from None


def happened(date: datetime | None, landed: datetime) -> datetime:
    """Return the time of a log entry: the item's date, or the landing time if there is no valid date."""
    # An item cannot be newer than its landing; the source's clock may be ahead.
    return date if date and date <= landed + _AHEAD else landed


def rfc3339(moment: datetime) -> str:
    """Write a time as the API does, in UTC with microseconds."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
