"""The body of a logs:import request, built from byte strings so that its size is known before it is made.

Shape: googleapis, google/cloud/chronicle/v1beta/ingestion.proto. A page always makes the same bytes, whatever the
time or the machine: SecOps tells equal batches apart by themselves, as far as it does.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.json_bytes import write_json
from shared.secops.cleaning import write_cleaned
from shared.secops.pages import PageHead
from shared.streams import JsonObject, Stream

# What an entry adds to the base64 of its data, at most: names, two times, and the labels without their values.
_FRAME_BYTES = 400
# collection_time must be after log_entry_time.
_LATER = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Form:
    """What is the same in every entry and every request."""

    clean: bool = True
    namespace: str = ""
    use_case: str = ""
    forwarder: str = ""

    @property
    def head(self) -> bytes:
        """The bytes before the first entry."""
        forwarder = b'"forwarder":%b,' % write_json(self.forwarder) if self.forwarder else b""
        return b'{"inline_source":{%b"logs":[' % forwarder

    @property
    def tail(self) -> bytes:
        """The bytes after the last entry."""
        return b"]}}"

    def size(self, entries_bytes: int, count: int) -> int:
        """Return the size of the request that holds so many entries of so many bytes together."""
        return len(self.head) + entries_bytes + max(0, count - 1) + len(self.tail)

    def body(self, entries: list[bytes]) -> bytes:
        """Return the request that holds these entries."""
        # One join: the entries have megabytes, which are copied once.
        separated = (part for entry in entries for part in (b",", entry))
        next(separated, None)
        return b"".join((self.head, *separated, self.tail))

    def entry(self, item: JsonObject, text: bytes, stream: Stream, page: PageHead) -> bytes:
        """Return one notification, read from the JSON `text`, as an element of `logs`."""
        data = write_cleaned(item) if self.clean else text
        happened = stream.date_of(item) or page.landed_at
        fields: JsonObject = {
            "log_entry_time": _written(happened),
            "collection_time": _written(max(page.landed_at, happened + _LATER)),
            "labels": {name: {"value": value} for name, value in self._labels(stream).items()},
        }
        if self.namespace:
            fields["environment_namespace"] = self.namespace
        # Base64 needs no escaping, and an encoder would look at every byte of it.
        return b'{"data":"%b",%b' % (base64.b64encode(data), write_json(fields)[1:])

    def most(self, raw_bytes: int) -> int:
        """Return a size that the entry of an item of so many bytes does not exceed, separator included."""
        return (raw_bytes + 2) // 3 * 4 + _FRAME_BYTES + 6 * len(self.namespace) + 6 * len(self.use_case)

    def _labels(self, stream: Stream) -> dict[str, str]:
        return {"stream": stream.name, **({"use_case": self.use_case} if self.use_case else {})}


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
