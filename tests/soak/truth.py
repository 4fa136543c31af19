"""What the source has of a minute or an hour: what history must have of it."""

import json
from collections.abc import Iterator
from datetime import datetime

from infra.local.virustotal.threat_lists.content import LISTS
from shared.contracts.minutes import ONE_HOUR
from shared.feeds.definition import THREAT_LISTS, find_feed
from shared.streams.definition import look_up
from shared.streams.hours import HourlyLog
from tests.soak.soak_mesh import SoakMesh

Lines = dict[int, str]


def truth(soak_mesh: SoakMesh, feed: str, minute: datetime, *, faultless: bool) -> Lines:
    """Return the ids of the good lines of a minute, or hour, by their numbers; faultless: without its faults."""
    if feed == THREAT_LISTS:
        return _truth_of_lists(soak_mesh, minute, faultless=faultless)
    if feed in soak_mesh.size.to_bigquery:
        return _truth_of_stream(soak_mesh, feed, minute)
    text = soak_mesh.source.truth(feed, minute, faultless=faultless)
    return dict(_good_lines(text))


def _truth_of_lists(soak_mesh: SoakMesh, hour: datetime, *, faultless: bool) -> Lines:
    """Return the ids of an hour of all lists in their order; without the list that a lasting fault keeps from it."""
    without = {
        oddity.name
        for oddity in soak_mesh.list_oddities
        if oddity.hour == hour and oddity.times is None and not faultless
    }
    names = [name for name in LISTS if name not in without]
    ids = {f"{name}/{one}" for name in names for one in soak_mesh.threat_lists.ids(name, f"{hour:%Y%m%d%H}")}
    return dict(enumerate(sorted(ids), 1))


def _truth_of_stream(soak_mesh: SoakMesh, name: str, hour: datetime) -> Lines:
    """Return the ids of the items that were logged in an hour, in the order of the log."""
    pages = HourlyLog(soak_mesh.mesh_view.bucket, name).pages(hour, hour + ONE_HOUR)
    items = [page.item(number) for page in pages for number in range(len(page.items))]
    paths = find_feed(name).identity
    return dict(enumerate(("/".join(str(look_up(item, path)) for path in paths) for item in items), 1))


def _good_lines(text: bytes) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split(b"\n"), 1):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("id"), str):
            yield number, value["id"]
