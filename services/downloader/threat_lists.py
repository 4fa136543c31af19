"""The package of an hour of threat lists: every list that the key may read, one after another, as lines.

A line is `{"threat_list":"<list>", <the element as it was sent>}`; lines are in the order of list, type and id. A list
that has as many indicators as an answer can hold is requested again by type; a type that has as many is marked with
`"cut":true`. Only one answer is held at a time.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import orjson

from shared.contracts.minutes import format_minute
from shared.contracts.outcomes import Retryable
from shared.virustotal.errors import NotLicensed, PackageMissing, RequestRefused
from shared.virustotal.threat_lists import LISTS, TYPES, Indicator, in_order

log = logging.getLogger(__name__)


class ListSource(Protocol):
    """A source of threat lists, as shared.virustotal.threat_lists has it."""

    limit: int

    def names(self, before_request: Callable[[], None]) -> Sequence[str]:
        """Return the lists that the source names."""

    def indicators(self, name: str, hour: datetime, kind: str | None = None) -> list[Indicator]:
        """Return the indicators of a list in an hour."""


class ThreatLists:
    """Reads hours; thread-safe. `lists` are those to read; without any, those that the source names, or all known."""

    def __init__(
        self,
        source: ListSource,
        *,
        lists: Sequence[str] = (),
        wait_for_missing: timedelta,
        deadline: timedelta,
        now: Callable[[], datetime],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._lists = lists
        self._wait_for_missing = wait_for_missing
        self._deadline = deadline
        self._now = now
        self._elapsed = elapsed
        self._refused: set[str] = set()

    def lines(self, hour: datetime) -> Iterator[bytes]:
        """Yield the lines of an hour.

        Raises NotLicensed if the key may read no list, otherwise what the source raises for any list that it may read:
        an hour is whole or not there. A list that is missing at the source is left out when the hour is old enough.
        """
        read = _Hour(self._source, hour, self._elapsed() + self._deadline.total_seconds(), self._elapsed)
        refused: list[NotLicensed] = []
        missing: list[PackageMissing] = []
        names = sorted(set(self._lists)) or self._named(read)
        for name in names:
            try:
                yield from read.lines(name)
            except NotLicensed as error:
                refused.append(error)
                self._report_refused(name, error)
            except PackageMissing as error:
                missing.append(error)
                log.warning("downloader.list_missing: %s", error)
        found = len(names) - len(refused) - len(missing)
        if missing and (not found or self._now() - hour <= self._wait_for_missing):
            raise missing[0]
        if not found:
            raise refused[0]
        log.info(
            "downloader.threat_lists: %d lists of %s with %d requests",
            *(found, format_minute(hour), read.requests),
            extra={"fields": {"requests": read.requests, "lists": found, "cut": len(read.cut)}},
        )

    def _named(self, read: "_Hour") -> Sequence[str]:
        try:
            return read.names() or tuple(LISTS)
        except (NotLicensed, PackageMissing, RequestRefused) as error:
            log.info("downloader.lists_not_named: all known lists are requested: %s", error)
            return tuple(LISTS)

    def _report_refused(self, name: str, error: NotLicensed) -> None:
        if name not in self._refused:
            self._refused.add(name)
            log.warning("downloader.list_not_licensed: %s is left out: %s", name, error)


@dataclass
class _Hour:
    """One hour that is being read."""

    source: ListSource
    hour: datetime
    end: float
    elapsed: Callable[[], float]
    requests: int = 0
    cut: list[str] = field(default_factory=list)

    def names(self) -> Sequence[str]:
        return self.source.names(self._count)

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a list."""
        found = self._indicators(name)
        if len(found) < self.source.limit:
            yield from _lines(name, found)
            return
        del found
        for kind in LISTS.get(name, TYPES):
            of_kind = self._of_kind(name, kind)
            is_cut = len(of_kind) >= self.source.limit
            if is_cut:
                self._report_cut(name, kind)
            yield from _lines(name, of_kind, is_cut=is_cut)

    def _of_kind(self, name: str, kind: str) -> list[Indicator]:
        try:
            return self._indicators(name, kind)
        except (NotLicensed, PackageMissing) as error:
            # The list as a whole was given, so it is in the tier and there; left out now, half of it would land.
            raise Retryable(f"threat list {name} was given, and not its indicators of type {kind}: {error}") from None

    def _indicators(self, name: str, kind: str | None = None) -> list[Indicator]:
        self._count()
        return self.source.indicators(name, self.hour, kind)

    def _count(self) -> None:
        if self.elapsed() > self.end:
            # Past the ack deadline Pub/Sub redelivers the hour; stop before that.
            raise Retryable("reading the threat lists took longer than the deadline; nothing landed")
        self.requests += 1

    def _report_cut(self, name: str, kind: str) -> None:
        self.cut.append(f"{name}/{kind}")
        log.error(
            "downloader.list_cut: %s of type %s has %d indicators or more at %s; the source gives no more",
            *(name, kind, self.source.limit, format_minute(self.hour)),
            extra={"fields": {"threat_list": name, "type": kind}},
        )


def _lines(name: str, indicators: Iterable[Indicator], *, is_cut: bool = False) -> Iterator[bytes]:
    head = b'{"threat_list":%b,' % orjson.dumps(name) + (b'"cut":true,' if is_cut else b"")
    for one in in_order(indicators):
        # What has no type or no id becomes a rejected line.
        element = one.text[1:] if one.type and one.id else b'"element":%b}' % one.text
        yield b"%b%b\n" % (head, element)
