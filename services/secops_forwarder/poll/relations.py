"""Add a collection's relations to its item, if the settings say so: types and ids of the first objects of each.

Each relation costs a request per new or modified collection, so there are none by default.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol
from urllib.parse import quote

from services.secops_forwarder.poll.page_buffer import NewItem
from shared.runtime.json_bytes import read_object, write_json
from shared.streams.definition import COLLECTIONS, JsonObject, Stream, look_up
from shared.virustotal.errors import NotLicensed, PackageMissing, RequestRefused
from shared.virustotal.list_reader import ListQuery
from shared.virustotal.listing import Listing

log = logging.getLogger(__name__)


class Pages(Protocol):
    """The source of lists."""

    def page(self, question: ListQuery) -> Listing:
        """Return one page."""


class Relations:
    """Adds relations to items of /collections; `limit` is the most objects of each."""

    def __init__(self, source: Pages, names: Sequence[str], limit: int) -> None:
        self._source = source
        self._names = names
        self._limit = limit

    def add_to(self, stream: Stream, item: NewItem) -> NewItem:
        """Return an item with its relations; raise TransientError or KeyRefused if the source fails."""
        if not self._names or stream.path != COLLECTIONS:
            return item
        try:
            content = read_object(item.text)
        except ValueError:
            # Its delivery reports an item that cannot be read.
            return item
        found = {name: self._objects(str(look_up(content, "id")), name) for name in self._names}
        known = {name: {"data": objects} for name, objects in found.items() if objects is not None}
        return replace(item, text=write_json({**content, "relationships": known}))

    def _objects(self, collection: str, name: str) -> list[JsonObject] | None:
        path = f"{COLLECTIONS}/{quote(collection, safe='')}/relationships/{name}"
        try:
            page = self._source.page(ListQuery(path, "", "", self._limit))
        except (NotLicensed, PackageMissing, RequestRefused) as error:
            # The other relations, and the collection itself, are there nevertheless.
            log.warning("secops.relation_refused: %s", error)
            return None
        return [read_object(one.text) for one in page.items]
