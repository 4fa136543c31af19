"""Whatever is changed behind the back of a balanced mesh is named by the audit, and its remedy mends it."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

import pytest

from shared.contracts.minutes import ONE_MINUTE, floor_minute, format_minute, utc_now
from shared.operations.findings import Finding
from tests.support.saboteur import TRICKS, Victim, package
from tests.support.small_mesh import SmallMesh
from tests.support.warehouse import Warehouse


@pytest.fixture
def mesh(warehouse: Warehouse) -> Iterator[SmallMesh]:
    """Return a mesh without minutes; the bucket is emptied of its own."""
    small = SmallMesh(warehouse)
    empty(warehouse)
    yield small
    empty(warehouse)


def empty(warehouse: Warehouse) -> None:
    """Delete the feed's objects."""
    for prefix in ("domains/", "state/"):
        for name in warehouse.bucket.names(prefix):
            warehouse.bucket.delete(name)


def balanced(mesh: SmallMesh, count: int) -> list[datetime]:
    """Bring in so many minutes, and return them."""
    first = floor_minute(utc_now()) - timedelta(hours=5)
    minutes = [first + number * ONE_MINUTE for number in range(count)]
    mesh.source.packages.update({minute: package(minute) for minute in minutes})
    mesh.bring_in(minutes)
    assert mesh.audit().findings == ()
    return minutes


def named(findings: tuple[Finding, ...], says: str, minute: datetime) -> list[Finding]:
    """Return the findings that say what must be said."""
    pattern = says.replace("{m}", re.escape(format_minute(minute)))
    return [finding for finding in findings if re.search(pattern, finding.what)]


def test_every_tampering_is_named_and_its_remedy_mends_it(mesh: SmallMesh) -> None:
    """Each of its minute or id; a plain audit finds all but what only objects show, and nothing remains in the end."""
    minutes = dict(zip(TRICKS, balanced(mesh, len(TRICKS)), strict=True))
    chance = Random(17)  # noqa: S311 a repeatable choice
    for name, trick in TRICKS.items():
        trick.do(Victim(mesh, minutes[name], chance))
    plain = mesh.audit(deep=False).findings
    deep = mesh.audit().findings
    unnamed = {name for name, trick in TRICKS.items() if not named(deep, trick.says, minutes[name])}
    assert unnamed == set(), [finding.what for finding in deep]
    only_deep = {name for name, trick in TRICKS.items() if not named(plain, trick.says, minutes[name])}
    assert only_deep == {name for name, trick in TRICKS.items() if trick.deep}
    mesh.mend(deep)
    assert mesh.audit().findings == ()
