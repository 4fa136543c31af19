"""GTI's threat lists: which there are, and the indicators of one in an hour.

A list has indicators of one to four types; an answer has at most `limit` of them, and does not say what it left out
(gtidocs.virustotal.com/reference/threat-lists). An hour without indicators is `{"iocs": null}` or an empty list.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from pydantic import AfterValidator

from shared.contracts.outcomes import TransientError
from shared.runtime.json_bytes import close_up, cut_list, read_json
from shared.runtime.setting_types import CommaList
from shared.streams.definition import look_up
from shared.virustotal.list_reader import ApiReader
from shared.virustotal.listing import continuation, valid_json

_NAMES = "the names of threat lists"
_MAX_PAGES_OF_NAMES = 10
# The largest limit that is known to be accepted.
LIMIT = 4000
FILES = ("file",)
NETWORK = ("domain", "ip_address", "url")
TYPES = ("domain", "file", "ip_address", "url")
LISTS: Mapping[str, tuple[str, ...]] = {
    "cryptominer": TYPES,
    "first-stage-delivery-vectors": FILES,
    "infostealer": FILES,
    "iot": FILES,
    "linux": FILES,
    "malicious-network-infrastructure": NETWORK,
    "malware": TYPES,
    "mobile": FILES,
    "osx": FILES,
    "phishing": NETWORK,
    "ransomware": FILES,
    "threat-actor": TYPES,
    "trending": TYPES,
    "vulnerability-weaponization": TYPES,
}
"""The documented lists and the types of their indicators, both in ascending order."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)


class _Data(msgspec.Struct):
    type: str
    id: str


class _Element(msgspec.Struct):
    data: _Data


_ELEMENT = msgspec.json.Decoder(_Element)


@dataclass(frozen=True, order=True)
class Indicator:
    """An element of a list: its JSON as it was sent, on one line, and type and id, empty if it has none."""

    type: str
    id: str
    text: bytes


def is_list_name(name: str) -> bool:
    """Return whether a text can be a list's id, which becomes part of an address."""
    return _NAME.fullmatch(name) is not None


def _list_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not is_list_name(name):
            raise ValueError(f"{name!r} is no threat list's id; the documented ones are {', '.join(LISTS)}")
    return names


ListNames = Annotated[CommaList, AfterValidator(_list_names)]
"""A setting with the ids of lists, as `ransomware,phishing`."""


class ThreatListReader:
    """Reads threat lists, one request at a time; its calls raise the errors of the client."""

    def __init__(self, api: ApiReader, limit: int = LIMIT) -> None:
        self._api = api
        self.limit = limit

    def names(self, before_request: Callable[[], None] = lambda: None) -> tuple[str, ...]:
        """Return the ids of the lists that the source names, in order; nothing if the answer has no list of them.

        The shape of the answer is not documented: ids are the strings, or the `id` of the objects, of its list. Other
        collections of the API have 10 objects a page by default, so a cursor is followed.
        """
        found: set[str] = set()
        cursor: str | None = None
        for _ in range(_MAX_PAGES_OF_NAMES):
            before_request()
            named, cursor = self._named(cursor)
            found |= named
            if cursor is None:
                return tuple(sorted(found))
        raise TransientError(f"{_NAMES}: more than {_MAX_PAGES_OF_NAMES} pages")

    def _named(self, cursor: str | None) -> tuple[set[str], str | None]:
        query = f"?{urlencode({'cursor': cursor})}" if cursor else ""
        with valid_json(_NAMES):
            answer = read_json(self._api.answer(f"/threat_lists{query}", _NAMES).body)
            following = continuation(look_up(answer, "meta.cursor"))
        return {name for name in _ids(answer) if is_list_name(name)}, following

    def indicators(self, name: str, hour: datetime, kind: str | None = None) -> list[Indicator]:
        """Return the indicators of a list in an hour, of all types or of one, as they were sent.

        As many as `limit` means that there may be more.
        """
        what = f"threat list {name} {hour:%Y%m%d%H}"
        query = f"?limit={self.limit}" + (f"&type={kind}" if kind else "")
        body = self._api.answer(f"/threat_lists/{name}/{hour:%Y%m%d%H}{query}", what).body
        with valid_json(what):
            answer, texts = cut_list(body, "iocs")
        if texts is None and not (isinstance(answer, dict) and answer.get("iocs", 0) is None):
            raise TransientError(f"{what}: the response has no list of indicators in `iocs`")
        return list(map(_indicator, texts or ()))


def in_order(indicators: Iterable[Indicator]) -> list[Indicator]:
    """Return indicators in the order of type and id, equal ones once."""
    return sorted(set(indicators))


def _ids(answer: object) -> list[str]:
    if isinstance(answer, dict):
        answer = next((value for value in answer.values() if isinstance(value, list)), ())
    found = [one.get("id") if isinstance(one, dict) else one for one in answer] if isinstance(answer, list) else []
    return [name for name in found if isinstance(name, str)]


def _indicator(text: bytes) -> Indicator:
    if b"\n" in text or b"\r" in text:
        # A line holds no line breaks; outside of JSON's strings they are white space, and inside there are none.
        text = close_up(text).replace(b"\n", b" ").replace(b"\r", b" ")
    try:
        data = _ELEMENT.decode(text).data
    except (msgspec.MsgspecError, RecursionError):
        return Indicator("", "", text)
    return Indicator(data.type, data.id, text)
