"""A tenant: log types, forwarders, and a search over raw logs."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from uuid import NAMESPACE_URL, uuid5

from pydantic import AwareDatetime, BaseModel, Field, ValidationError
from pydantic.alias_generators import to_camel

from infra.local.secops.errors import error
from infra.local.secops.store import Store
from infra.local.web import Answer, Request, json_answer

# Exist in every tenant: Google's type for threat intelligence, and a type of another vendor.
_EVERYWHERE = frozenset({"GCP_THREATINTEL", "MANDIANT_ASM_ISSUE", "MANDIANT_DTM_ALERTS", "OKTA"})
_OWN = "_CUSTOM"
_REGEX = re.compile(r"\s*raw\s*=\s*/(?P<pattern>.*)/\s*(?P<flags>nocase)?\s*")
_TEXT = re.compile(r'\s*raw\s*=\s*"(?P<text>.*)"\s*')
_SNIPPET = 80


class Tenant:
    """Handles log types, forwarders and searches."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reset()

    def reset(self) -> None:
        """Reset: Google's log types and every one of the tenant's own exist, and no forwarder."""
        self.log_types: frozenset[str] | None = None
        self._forwarders: dict[str, dict[str, object]] = {}

    def has(self, log_type: str) -> bool:
        """Return whether a log type exists: one of Google's, or one of the tenant's own, which ends in `_CUSTOM`."""
        if self.log_types is not None:
            return log_type in self.log_types
        return log_type in _EVERYWHERE or log_type.endswith(_OWN)

    def log_type(self, request: Request, log_type: str) -> Answer:
        """Handle logTypes.get."""
        if not self.has(log_type):
            return error(404, "NOT_FOUND", f"log type {log_type} not found")
        return json_answer(200, _log_type(_name(request), log_type))

    def list_log_types(self, request: Request) -> Answer:
        """Handle logTypes.list: the existing types; if all exist, some of Google's and those with logs."""
        names = self.log_types if self.log_types is not None else _EVERYWHERE | self._store.log_types()
        found = [_log_type(f"{_name(request)}/{name}", name) for name in sorted(names)]
        return _listed(request, "logTypes", found)

    def list_forwarders(self, request: Request) -> Answer:
        """Handle forwarders.list."""
        return _listed(request, "forwarders", list(self._forwarders.values()))

    def create_forwarder(self, request: Request) -> Answer:
        """Handle forwarders.create; any display name is accepted."""
        body = _object(request.body)
        if body is None or not body.get("displayName"):
            return error(400, "INVALID_ARGUMENT", "forwarder.display_name is required")
        name = f"{_name(request)}/{uuid5(NAMESPACE_URL, str(len(self._forwarders)))}"
        self._forwarders[name] = {**body, "name": name, "state": "ACTIVE"}
        return json_answer(200, self._forwarders[name])

    def forwarder(self, request: Request) -> Answer:
        """Handle forwarders.get."""
        found = self._forwarders.get(_name(request))
        return json_answer(200, found) if found else error(404, "NOT_FOUND", "forwarder not found")

    def search(self, request: Request) -> Answer:
        """Handle searchRawLogs over the kept logs, by the time of the log entry.

        The reference returns one object; clients expect a list of them, sent while the search runs. They also found
        that the service ignores `logTypes`, so it is ignored here. A search in a time of which not all logs are kept is
        refused: they would seem to be missing.
        """
        try:
            asked = Search.model_validate_json(request.body)
            fits = _query(asked.baseline_query, case_sensitive=asked.case_sensitive)
        except (ValidationError, re.error) as refused:
            return error(400, "INVALID_ARGUMENT", f"invalid search: {str(refused).splitlines()[0]}")
        forgotten = self._store.forgotten([one.display_name for one in asked.log_types if one.display_name])
        if forgotten and asked.baseline_time_range.start_time <= forgotten:
            reason = f"this simulator does not keep all logs up to {forgotten.isoformat()} (--keep, or a restart)"
            return error(400, "FAILED_PRECONDITION", reason)
        found = list(self._matches(asked, fits))
        page = found[: asked.page_size] if asked.page_size else found
        more = {"nextPageToken": "more"} if len(page) < len(found) else {}
        return json_answer(200, [{"progress": 0.5}, {"matches": page, "progress": 1.0, **more}])

    def _matches(self, asked: "Search", fits: Callable[[str], bool]) -> Iterator[dict[str, object]]:
        span = asked.baseline_time_range
        for log_type, log in self._store.whole():
            text = log.data.decode(errors="replace")
            if span.start_time <= log.log_entry_time < span.end_time and fits(text):
                yield {
                    "id": base64.b64encode(text.encode()[:_SNIPPET]).decode(),
                    "logType": {"displayName": log_type},
                    "matchText": text[:_SNIPPET],
                }


class _Body(BaseModel, alias_generator=to_camel, frozen=True):
    pass


class Interval(_Body):
    """The time range of a search: start inclusive, end exclusive."""

    start_time: AwareDatetime
    end_time: AwareDatetime


class LogTypeName(_Body):
    """The name of a log type in a search."""

    display_name: str = ""


class Search(_Body):
    """The supported fields of searchRawLogs."""

    baseline_query: str = Field(min_length=1)
    baseline_time_range: Interval
    case_sensitive: bool = False
    page_size: int = Field(default=0, ge=0)
    log_types: tuple[LogTypeName, ...] = ()


def _query(text: str, *, case_sensitive: bool) -> Callable[[str], bool]:
    """Parse `raw = /regular expression/`, `raw = "text"`, or plain text."""
    regex, quoted = _REGEX.fullmatch(text), _TEXT.fullmatch(text)
    pattern = regex["pattern"] if regex else re.escape(quoted["text"] if quoted else text)
    same_case = case_sensitive and not (regex and regex["flags"])
    found = re.compile(pattern, 0 if same_case else re.IGNORECASE)
    return lambda raw: found.search(raw) is not None


def _name(request: Request) -> str:
    """Return the resource's name: the path without the version."""
    return request.path.split("/", 2)[2]


def _log_type(name: str, log_type: str) -> dict[str, object]:
    return {"name": name, "displayName": log_type.replace("_", " ").title(), "isCustom": log_type.endswith(_OWN)}


def _object(body: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _listed(request: Request, key: str, items: list[dict[str, object]]) -> Answer:
    """Return one page: pageSize items from pageToken on, which is the number of the first item."""
    begin, size = request.query.get("pageToken", "0"), request.query.get("pageSize", "1000")
    if not (begin.isdecimal() and size.isdecimal()):
        return error(400, "INVALID_ARGUMENT", "page_size and page_token must be those of this list")
    end = int(begin) + (int(size) or 1000)
    more = {"nextPageToken": str(end)} if end < len(items) else {}
    return json_answer(200, {key: items[int(begin) : end], **more})
