"""The streams whose items change: what the source shows of every item, and what a stream's log has of it.

A version is a text that sorts as the versions of its item follow each other. One that is replaced before a poll could
see it is not lost; the newest one must be in the log.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.local.virustotal.streams.client import ListsControl
from infra.local.virustotal.streams.issues import PROJECTS, STATUSES
from services.secops_forwarder.importer.cleaning import write_cleaned
from shared.contracts.interfaces import Bucket
from shared.streams.definition import JsonObject
from shared.streams.page_log import PageLog

# By the identity of an item.
Versions = Mapping[str, str]


@dataclass(frozen=True)
class Changing:
    """One stream: how its items are read from the source's control, and from a page of the log."""

    shown: Callable[[ListsControl], Versions]
    of: Callable[[Any], tuple[str, str]]


def _written(seconds: int) -> str:
    return f"{seconds:012d}"


def _triaged(status: str | None) -> str:
    """Return a status' place; the simulated ones only go forward, and none stays none."""
    return f"{STATUSES.index(status):02d}" if status else "none"


def _vulnerabilities(lists: ListsControl) -> Versions:
    return {name: _written(date) for name, date in lists.collections("vulnerability").items()}


def _issues(lists: ListsControl) -> Versions:
    return {
        f"{name} {project}": _triaged(status)
        for project in PROJECTS
        for name, (status, _) in lists.issues(project).items()
    }


CHANGING: Mapping[str, Changing] = {
    "vulnerabilities": Changing(
        _vulnerabilities, lambda item: (item["id"], _written(item["attributes"]["last_modification_date"]))
    ),
    "dtm_alerts": Changing(ListsControl.alerts, lambda item: (item["id"], item["updated_at"])),
    "asm_issues": Changing(
        _issues, lambda item: (f"{item['id']} {item['project_id']}", _triaged(item["summary"]["status"]))
    ),
}


def items_of(bucket: Bucket, stream: str) -> Iterator[JsonObject]:
    """Yield the items of a stream's log, in its order."""
    log, sequence = PageLog(bucket, stream), 1
    while page := log.read(sequence):
        yield from (page.item(number) for number in range(len(page.items)))
        sequence += 1


def not_logged(bucket: Bucket, stream: str, shown: Versions) -> list[str]:
    """Return the items whose version of that time, or a newer one, is not in the log."""
    newest: dict[str, str] = {}
    for name, version in map(CHANGING[stream].of, items_of(bucket, stream)):
        newest[name] = max(version, newest.get(name, ""))
    return sorted(name for name, version in shown.items() if newest.get(name, "") < version)


def secops_key(item: JsonObject) -> str:
    """Return the key by which the simulated SecOps counts an item that has no notification's id."""
    return hashlib.sha256(write_cleaned(item)).hexdigest()
