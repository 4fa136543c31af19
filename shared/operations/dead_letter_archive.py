"""The bucket's record of dead letters that were redriven or discarded, one object for each.

`dead/2026-11-21/feed-minutes-dead/17251234-141030123-0f3a9c51d2e7.json`: the day and the time at which the letter was
published, its id, and a hash of its content. Ids alone recur: an emulator may count from 1 again, and a publisher can
set any id. The ledger has the id and the time as well, so both together say which letter was handled.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import dead_letter_topic

HANDLED = "dead"
# Pub/Sub's own ids are numbers.
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

_NAME = re.compile(rf"{HANDLED}/(\d{{4}}-\d{{2}}-\d{{2}})/[a-z-]+/(.+)-(\d{{9}})-[0-9a-z]+\.json")
# The first release named the object after the id alone.
_FIRST_RELEASE = re.compile(rf"{HANDLED}/[a-z-]+-dead/([^/]+)\.json")
# In place of the hash, for a letter that only the ledger still has.
_CLOSED = "closed"
_CLOSED_FOLDER = "ledger"

Key = tuple[str, str]


def handled_name(topic: str, letter: str, published: datetime, content: bytes) -> str:
    """Return the name of the object that records that a letter was redriven or discarded."""
    return _name(dead_letter_topic(topic), letter, published, hashlib.sha256(content).hexdigest()[:12])


def closed_name(letter: str, published: datetime) -> str:
    """Return the name of the object that records that a letter, which Pub/Sub no longer holds, is closed."""
    return _name(_CLOSED_FOLDER, letter, published, _CLOSED)


def letter_key(letter: str, published: datetime) -> Key:
    """Return what identifies a letter both in the ledger and in Pub/Sub; publish times have milliseconds."""
    at = published.astimezone(UTC)
    return _stem(letter), f"{at:%Y-%m-%d %H%M%S}{at.microsecond // 1000:03d}"


def _name(folder: str, letter: str, published: datetime, mark: str) -> str:
    stem, at = letter_key(letter, published)
    day, time = at.split()
    return f"{HANDLED}/{day}/{folder}/{stem}-{time}-{mark}.json"


def _stem(letter: str) -> str:
    """Return the part of a name that stands for an id; one with unsafe characters, or a long one, is hashed.

    An id comes from the message, so any publisher can set it to anything.
    """
    return letter if PLAIN.fullmatch(letter) else f"sha256-{hashlib.sha256(letter.encode()).hexdigest()}"


@dataclass(frozen=True)
class HandledLetters:
    """The letters that were redriven, discarded or closed."""

    keys: frozenset[Key] = frozenset()
    # Of the first release: when the letter of an id was handled.
    by_id: Mapping[str, datetime] = field(default_factory=dict)

    def holds(self, letter: str, published: datetime) -> bool:
        """Return whether the letter with this id and publish time was handled."""
        key = letter_key(letter, published)
        handled = self.by_id.get(key[0])
        return key in self.keys or (handled is not None and handled >= published)


def handled_letters(bucket: Bucket, since: datetime) -> HandledLetters:
    """Return the letters published since a time that were handled; days before it are not listed."""
    keys: set[Key] = set()
    by_id: dict[str, datetime] = {}
    # An object's time has seconds only on some emulators.
    for found in bucket.listed(f"{HANDLED}/", f"{HANDLED}/{since.astimezone(UTC):%Y-%m-%d}/"):
        if written := _NAME.fullmatch(found.name):
            day, stem, time = written.groups()
            keys.add((stem, f"{day} {time}"))
        elif written := _FIRST_RELEASE.fullmatch(found.name):
            by_id[written[1]] = found.created + timedelta(seconds=1)
    return HandledLetters(frozenset(keys), by_id)
