"""The bytes billed for analysts' queries, by the model: the queries of docs/warehouse.md, and one of all of current."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import prices
from benchmarks.billing import Widths, narrow_table, ours
from benchmarks.monthly import DAYS, Case, widths_of
from benchmarks.statements import Read, read_statement
from benchmarks.volumes import LINE_BYTES, LINES_A_DAY
from shared.feeds.definition import Feed, find_feed
from tests.support.documented import DOCUMENTED

_JSON = frozenset({"attributes", "relationships", "context_attributes", "links"})
_KEYS = frozenset({"id", "feed_minute", "feed_line"})
_DAYS = 100
# Days that the documented queries of observations ask for: those of the table function, and of history.
_WINDOWS = {"Verdict flips": 2, "What was known at the time": 8, "Every observation of one day, hour by hour": 2}
_NOT_READ = ("Coverage gaps", "Lines accounted for, day by day")


def _columns(feed: Feed) -> frozenset[str]:
    return _KEYS | {column.name for column in feed.headline}


def _schemas() -> dict[str, frozenset[str]]:
    known = {}
    for name in LINE_BYTES:
        feed = find_feed(name)
        known[f"{name}_current"] = _columns(feed)
        known[name] = known[f"{name}_between"] = _columns(feed) | _JSON
        known[f"{name}_history"] = _KEYS | {"object"}
    return known


def current_bytes(feed: str, columns: frozenset[str], ids: float, widths: Widths) -> tuple[float, float, float]:
    """Return what reading columns of current bills: of one table, of the view, and of the view at worst.

    The view needs what it compares versions by, in both tables. At worst BigQuery bills both references of each.
    """
    definition = find_feed(feed)
    compared = _KEYS | set(definition.version)
    recent = ids / 10
    one = ids * widths.of(columns, definition)
    view = (ids + recent) * widths.of(columns | compared, definition)
    again = ids * widths.of(compared, definition) + recent * widths.of(columns | compared, definition)
    return one, view, view + again


def analysts_table(page: Path) -> Iterator[str]:
    """Yield how much more the view costs than one table, and how many queries would cost what merges save."""
    widths = widths_of("domains", page)
    columns = frozenset({"id", "feed_minute", "malicious", "gti_verdict", "gti_score", "registrar"})
    yield (
        "| domains, one query over all of current | of one table | of the view | at worst | merges save, $ a month |"
        " queries a month that use that up |"
    )
    yield "|---|---:|---:|---:|---:|---:|"
    for days in (10, 100, 365):
        case = Case("domains", LINES_A_DAY, days / DAYS + 0.5)
        one, view, worst = current_bytes("domains", columns, case.load.current, widths)
        saved = narrow_table(case.load, widths) - sum(ours(case.load, widths).values())
        dollars = saved * case.merges_a_day * DAYS * prices.SCANNED_BYTES.dollars
        queries = dollars / ((worst - one) * prices.SCANNED_BYTES.dollars)
        yield (
            f"| day {days} | {one / 1e9:,.0f} GB | {view / 1e9:,.0f} GB | {worst / 1e9:,.0f} GB | {dollars:,.0f} |"
            f" {queries:,.0f} |"
        )


def query_bytes(title: str, page: Path) -> tuple[float, float] | None:
    """Return what a documented query bills at day 100 at least and at most; None if it reads the ledger only.

    At most: each reference of a view's tables counts, and a condition on feed_minute does not prune history below the
    join of the view.
    """
    statement = read_statement(
        (DOCUMENTED[title].partition(" AS\nSELECT")[2] and _training(title)) or DOCUMENTED[title], _schemas()
    )
    least = most = 0.0
    for read in statement.reads:
        low, high = _read_bytes(title, read, page)
        least, most = least + low, most + high
    return (least, most) if statement.reads else None


def _training(title: str) -> str:
    """Return the SELECT of a statement that trains a model."""
    return "SELECT" + DOCUMENTED[title].partition(" AS\nSELECT")[2]


def _read_bytes(title: str, read: Read, page: Path) -> tuple[float, float]:
    feed = next(name for name in sorted(LINE_BYTES, key=len, reverse=True) if read.table.startswith(name))
    widths, ids = widths_of(feed, page), Case(feed, LINES_A_DAY, _DAYS / DAYS + 0.5).load.current
    definition, kind = find_feed(feed), read.table.removeprefix(feed)
    day = LINES_A_DAY
    if kind in ("_between", "_history"):
        columns = (read.columns & _KEYS) if kind == "_history" else _KEYS | {"object"}
        size = day * _WINDOWS[title] * widths.of(columns, definition)
        return size, size
    _, view, worst = current_bytes(feed, read.columns - _JSON, ids, widths)
    if not read.columns & _JSON:
        return view, worst
    joined = widths.of(_KEYS | {"object"}, definition)
    return view + 2 * day * joined, worst + _DAYS * day * joined


def query_table(page: Path) -> Iterator[str]:
    """Yield a line for each documented query."""
    yield "| query | billed, GB | at most, GB |"
    yield "|---|---:|---:|"
    for title in DOCUMENTED:
        billed = query_bytes(title, page)
        if title in _NOT_READ or billed is None:
            yield f"| {title} | the ledger only | |"
            continue
        least, most = (f"{size / 1e9:,.0f}" for size in billed)
        yield f"| {title} | {least} | {most if most != least else ''} |"
