"""Handles `GET /api/v3/threat_lists` and `GET /api/v3/threat_lists/{list}/{YYYYMMDDhh or latest}`."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from infra.local.faults.rules import FaultBook
from infra.local.virustotal import errors, refusals
from infra.local.virustotal.content.entity_version import Json
from infra.local.virustotal.refusals import refuse
from infra.local.virustotal.simulator import Simulator
from infra.local.virustotal.threat_lists.content import LISTS, TIERS, TYPES, ListHour
from infra.local.web import Answer, Request, Route, json_answer, route

FEED = "threat_lists"
_DEFAULT, _LARGEST = 2000, 4000
_NAMES_ON_A_PAGE = 10
# An hour of all lists, whole and by type: what a benchmark asks for is then written before it is measured.
_TEXTS_KEPT = len(LISTS) + sum(map(len, LISTS.values()))
_RETENTION = timedelta(days=7)
_HOUR = re.compile(r"\d{10}", re.ASCII)
_EMPTY: dict[str, list[object] | None] = {"null": None, "empty": []}


class ListSettings(BaseModel):
    """The lists that the key may read, the lag, and what is served.

    named is the form of the answer with the lists' names (pages: a collection of 10 a page), or that it is refused or
    unknown; old whether hours past
    seven days are served; counts the number of indicators of a list in each hour, if not that of a minute of a feed;
    pretty whether answers are indented.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier: Literal["standard", "enterprise", "enterprise_plus"] = "enterprise_plus"
    lag_minutes: int = Field(120, ge=1)
    named: Literal["collection", "pages", "plain", "forbidden", "unknown"] = "collection"
    old: Literal["served", "refused"] = "refused"
    counts: dict[str, int] = Field(default_factory=dict)
    pretty: bool = False


class ThreatListRule(refusals.ApiRule):
    """One fault of a list (none: of all) in an hour (none: in all).

    null and empty replace the indicators; of a truncated answer the second half is missing.
    """

    kinds: ClassVar[frozenset[str]] = frozenset((*refusals.KINDS, *_EMPTY, "truncated"))
    selectors: ClassVar[tuple[str, ...]] = ("list", "hour")

    list: str | None = None
    hour: str | None = None


class ThreatListsApi:
    """The threat lists of one simulator, their settings and faults."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.faults: FaultBook[ThreatListRule] = FaultBook()
        self._text = lru_cache(_TEXTS_KEPT)(self._write)
        self.reset()

    def reset(self) -> None:
        """Reset to the initial state."""
        self.faults.replace(())
        self.settings = ListSettings()

    def routes(self) -> list[Route]:
        """Return the routes of the API port."""
        return [
            route("GET", r"/api/v3/threat_lists", self.names),
            route("GET", r"/api/v3/threat_lists/(?P<name>[^/]+)/(?P<hour>[^/]+)", self.list_hour),
        ]

    def names(self, request: Request) -> Answer:
        """Return the lists that the key may read."""
        answer = self._simulator.refuse_key(request) or self._names(request.query.get("cursor"))
        self._simulator.stats.count("api", FEED, "names", answer.status)
        return answer

    def _names(self, cursor: str | None) -> Answer:
        readable = TIERS[self.settings.tier]
        match self.settings.named:
            case "forbidden":
                return errors.error(403, "ForbiddenError", "You are not authorized to perform the requested operation")
            case "unknown":
                return errors.not_found("/threat_lists")
            case "plain":
                return json_answer(200, readable)
            case "pages":
                return _page_of_names(readable, cursor)
        return json_answer(200, {"data": _objects(readable)})

    def list_hour(self, request: Request, name: str, hour: str) -> Answer:
        """Respond to a request for one list in one hour."""
        refused = self._simulator.refuse_key(request) or self._refuse(name, hour, request)
        answer = refused or self._serve(name, hour, request)
        self._simulator.stats.count("api", FEED, f"{name}/{hour}", answer.status)
        return answer

    def _refuse(self, name: str, hour: str, request: Request) -> Answer | None:
        if name not in LISTS:
            return errors.not_found(f"Threat list {name!r}")
        if name not in TIERS[self.settings.tier]:
            return errors.error(403, "ForbiddenError", "You are not authorized to perform the requested operation")
        limit = request.query.get("limit", str(_DEFAULT))
        if not limit.isdecimal() or not 1 <= int(limit) <= _LARGEST or request.query.get("type", "file") not in TYPES:
            return errors.error(400, "BadRequestError", "Invalid parameter")
        return self._refuse_hour(self.hour_of(hour), hour)

    def _refuse_hour(self, begins: datetime | None, hour: str) -> Answer | None:
        if begins is None:
            return errors.error(400, "BadRequestError", f"{hour!r} is not an hour; write YYYYMMDDhh")
        now, opens = self._simulator.clock.now(), begins + self._lag
        if now < opens:
            text = f"Package {hour} is not available until {opens:%Y-%m-%d at %H:%M} UTC because of privacy policy."
            return errors.error(400, "NotAvailableYet", text)
        if self.settings.old == "refused" and now - begins > _RETENTION:
            return errors.not_found(f"Package {hour}")
        return None

    def _serve(self, name: str, hour: str, request: Request) -> Answer:
        now = self._simulator.clock.now()
        kinds = tuple(ThreatListRule.kinds)
        rule = self.faults.first(kinds, list=name, hour=hour)
        if rule and rule.kind in refusals.KINDS:
            return refuse(rule, f"threat list {name} {hour}", now)
        if rule and rule.kind in _EMPTY:
            return json_answer(200, {"iocs": _EMPTY[rule.kind]})
        # Attributes change from minute to minute.
        minute, begins = now.replace(second=0, microsecond=0), self.hour_of(hour)
        limit, count = int(request.query.get("limit", str(_DEFAULT))), self._count(name)
        text = self._text(name, begins, minute, count, request.query.get("type"), limit, self.settings.pretty)
        shown = text[: len(text) // 2] if rule else text
        return Answer(200, shown.encode(), {"Content-Type": "application/json; charset=utf-8"})

    def _write(
        self,
        name: str,
        begins: datetime | None,
        minute: datetime,
        count: int,
        kind: str | None,
        limit: int,
        pretty: bool,
    ) -> str:
        found = ListHour(self._simulator.settings.seed, name, begins or minute, count).elements(minute, kind)
        return json.dumps({"iocs": [{"data": one} for one in found[:limit]]}, indent=4 if pretty else None)

    def ids(self, name: str, hour: str) -> list[str]:
        """Return type and id of all indicators of a list in an hour, whatever the limit."""
        found = self._elements(name, self.hour_of(hour), self._simulator.clock.now(), None)
        return [f"{one['type']}/{one['id']}" for one in found]

    def _elements(self, name: str, begins: datetime | None, now: datetime, kind: str | None) -> list[Json]:
        return ListHour(self._simulator.settings.seed, name, begins or now, self._count(name)).elements(now, kind)

    def _count(self, name: str) -> int:
        return self.settings.counts.get(name, self._simulator.settings.lines)

    @property
    def _lag(self) -> timedelta:
        return timedelta(minutes=self.settings.lag_minutes)

    def hour_of(self, written: str) -> datetime | None:
        """Read `YYYYMMDDhh`, or `latest`; return None for anything else."""
        if written == "latest":
            return (self._simulator.clock.now() - self._lag).replace(minute=0, second=0, microsecond=0)
        try:
            return datetime.strptime(written, "%Y%m%d%H").replace(tzinfo=UTC) if _HOUR.fullmatch(written) else None
        except ValueError:
            return None


def _objects(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"id": name, "type": "threat_list"} for name in names]


def _page_of_names(names: Sequence[str], cursor: str | None) -> Answer:
    position = (cursor or "after:0").removeprefix("after:")
    if not position.isdecimal():
        return errors.error(400, "BadRequestError", "Invalid cursor")
    begin = int(position)
    end = begin + _NAMES_ON_A_PAGE
    meta: dict[str, object] = {"count": len(names), **({"cursor": f"after:{end}"} if end < len(names) else {})}
    return json_answer(200, {"meta": meta, "data": _objects(names[begin:end])})
