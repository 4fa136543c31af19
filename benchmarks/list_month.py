"""A month of the threat lists: at most, and at the only sizes that are known."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from benchmarks.billing import Widths, ours, size
from benchmarks.monthly import Case, dollars, our_month
from benchmarks.volumes import LIST_LINE_BYTES, LISTS_A_DAY
from infra.local.virustotal.threat_lists.content import LISTS, ListHour
from shared.feeds.definition import EVERY_ELEMENT, THREAT_LISTS, Headline, find_feed

_HOUR = datetime(2025, 12, 31, tzinfo=UTC)
_SAMPLE = 60
_MONTHS = (1, 12)


@cache
def list_widths() -> Widths:
    """Return the bytes of a row as the simulator's elements fill it."""
    found = [(name, one) for name in LISTS for one in ListHour("7", name, _HOUR, _SAMPLE).elements(_HOUR)]
    lines = [{"threat_list": name, "data": one} for name, one in found]
    columns = find_feed(THREAT_LISTS).headline
    own = sum(size(f"{name}/{one['type']}/{one['id']}", "STRING") for name, one in found) / len(found)
    headline = sum(_bytes(line, column) for line in lines for column in columns) / len(found)
    return Widths(own, LIST_LINE_BYTES, own + 16 + headline, 8)


def _bytes(line: Mapping[str, object], column: Headline) -> int:
    path, _, inside = column.path.partition(EVERY_ELEMENT)
    found = _at(line, path)
    if isinstance(found, list) and inside:
        found = [_at(one, inside) for one in found]
    return size(found, column.type.removeprefix("ARRAY<").removesuffix(">"))


def _at(value: object, path: str) -> object:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def list_section(_: Path) -> Iterator[str]:
    """Yield the section's lines."""
    widths = list_widths()
    parts = ("Cloud Run", "Pub/Sub", "bucket", "storage", "ledger", "merges")
    yield f"| threat lists, month | if | lines a day | a merge | {' | '.join(parts)} | **ours, $** |"
    yield f"|---|---|---:|---:|{'---:|' * (len(parts) + 1)}"
    for month in _MONTHS:
        for what, lines in LISTS_A_DAY.items():
            case = Case(THREAT_LISTS, lines, month)
            mine, merge = our_month(case, widths), sum(ours(case.load, widths, THREAT_LISTS).values())
            cells = " | ".join(dollars(mine[part]) for part in parts)
            yield (
                f"| {month} | {what} | {lines:,} | {merge / 1e9:.2f} GB | {cells} | **{dollars(sum(mine.values()))}** |"
            )
    yield ""
    yield f"A row of newest versions has {widths.current:.0f} bytes, as the simulator's elements fill it."
