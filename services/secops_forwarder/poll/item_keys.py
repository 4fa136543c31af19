"""The key and the date of a new item."""

import hashlib
import logging

from services.secops_forwarder.poll.page_buffer import NewItem
from shared.runtime.json_bytes import read_json, write_json
from shared.streams.definition import Stream
from shared.virustotal.listing import SourceItem

log = logging.getLogger(__name__)


def new_item(stream: Stream, item: SourceItem, cursor: str | None) -> NewItem:
    """Return an item with its key and date; cursor is that of its source page."""
    key = stream.key_of(item.known) or _fingerprint(item.text)
    return NewItem(key, stream.date_of(item.known), item.text, cursor)


def _fingerprint(text: bytes) -> str:
    try:
        text = write_json(read_json(text), sort=True)
    except (ValueError, RecursionError):
        # An item that cannot be parsed is identified by its bytes.
        log.warning("secops.unreadable: an item of %d bytes cannot be read", len(text))
    return f"sha256 {hashlib.sha256(text).hexdigest()}"
