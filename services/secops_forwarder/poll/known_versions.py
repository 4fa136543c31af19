"""Which version of every issue is in the log: an issue comes again only if it differs from its last one.

The log itself has the answer; an object has it up to a page, so that a poll reads only the pages behind. A poll that
appends a page has read all pages before it, because a page of the same number exists only once: so of two polls at once
none logs a version that the other one has logged.

An issue has about 120 bytes there. One that 30 completed sweeps have not met is gone from the source, and is forgotten.
"""

import logging
from collections.abc import Callable

from services.secops_forwarder.poll.page_buffer import NewItem
from shared.contracts.interfaces import Bucket
from shared.contracts.stored_objects import read_stored
from shared.streams.issue_progress import Met, Versions, versions_name
from shared.streams.page_log import PageHead, PageLog

_FORGOTTEN_AFTER = 30
# The most pages that a poll has to read.
_SAVED_AFTER = 20

log = logging.getLogger(__name__)


class KnownVersions:
    """The versions of one stream, for one poll."""

    def __init__(self, bucket: Bucket, stream: str, pages: PageLog) -> None:
        self._bucket = bucket
        self._pages = pages
        self._name = versions_name(stream)
        stored, self._generation = read_stored(bucket, self._name, Versions, remedy="delete it; the log has it too")
        saved = stored or Versions()
        self._saved = self._sequence = saved.sequence
        self._sweeps = dict(saved.sweeps)
        # Not copied: there may be hundreds of thousands.
        self._logged: dict[str, Met] = saved.versions
        self._buffered: dict[str, str] = {}
        self._swept = False

    def catch_up(self, last: int, late: Callable[[], bool]) -> bool:
        """Learn the pages up to the last one; return False if the time is up before. Buffered items are discarded."""
        self._buffered = {}
        while self._sequence < last:
            if late():
                return False
            if page := self._pages.read(self._sequence + 1):
                self._learn(page.head)
            self._sequence += 1
        return True

    def is_new(self, item: NewItem) -> bool:
        """Return whether an item differs from its last version, and remember it as the last one."""
        identity, version = _split(item.key)
        met = self._logged.get(identity)
        if met:
            self._logged[identity] = met[0], self._sweeps_of(identity)
        if self._buffered.get(identity, met and met[0]) == version:
            return False
        self._buffered[identity] = version
        return True

    def appended(self, head: PageHead) -> None:
        """Remember the versions on a page that this poll has appended; what is still buffered stays."""
        self._learn(head)
        self._sequence = head.sequence

    def swept(self, project: str) -> None:
        """Record a completed sweep, and forget the issues that no sweep has met for long."""
        self._swept = True
        self._sweeps[project] = self._sweeps.get(project, 0) + 1
        gone = [name for name, (_, met) in self._logged.items() if self._sweeps_of(name) - met > _FORGOTTEN_AFTER]
        for name in gone:
            del self._logged[name]

    def save(self, *, sweeping: bool) -> None:
        """Save what is known, if a sweep has met issues, or if another poll would have to read many pages."""
        if not sweeping and not self._swept and self._sequence - self._saved < _SAVED_AFTER:
            return
        known = Versions(sequence=self._sequence, sweeps=self._sweeps, versions=self._logged)
        # False: another poll has saved what it knows, which is also right.
        self._bucket.replace(self._name, known.model_dump_json().encode(), self._generation)

    def _learn(self, head: PageHead) -> None:
        for key in head.seen:
            identity, version = _split(key)
            self._logged[identity] = version, self._sweeps_of(identity)

    def _sweeps_of(self, identity: str) -> int:
        return self._sweeps.get(identity.rpartition(" ")[2], 0)


def identity_of(key: str) -> str:
    """Return the part of a key that all versions of an issue have in common."""
    return _split(key)[0]


def _split(key: str) -> tuple[str, str]:
    """Return identity and version; the key of an issue without an id is all of it."""
    identity, _, version = key.rpartition(" ")
    return (identity, version) if " " in identity else (key, version)
