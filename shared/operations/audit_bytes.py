"""How many bytes BigQuery reads for `gti-mesh audit`: dry runs of every query that it makes."""

from collections.abc import Iterator
from datetime import datetime

from shared.gcp.bigquery import Parameters, bytes_read
from shared.gcp.ledger import ledger_query
from shared.operations import compare_lines
from shared.operations.accounts import EVER, bounds, statements
from shared.operations.audit import audited_feeds, begin_of, oldest_kept
from shared.operations.mesh import Mesh
from shared.operations.open_dead_letters import unhandled_query
from shared.operations.version_tables import version_statements


def bytes_to_read(mesh: Mesh, since: datetime | None, *, deep: bool, now: datetime) -> int:
    """Return how many bytes BigQuery will read for an audit."""
    queries = _queries(mesh, since, deep=deep, now=now)
    return sum(bytes_read(mesh.warehouse, sql, parameters) for sql, parameters in queries)


def _queries(mesh: Mesh, since: datetime | None, *, deep: bool, now: datetime) -> Iterator[tuple[str, Parameters]]:
    yield unhandled_query(mesh, now)
    for feed, _ in audited_feeds(mesh):
        begin = begin_of(feed, since, oldest_kept(mesh, feed, now))
        yield from ((sql, bounds(feed, begin)) for sql in statements(mesh, feed, deep=deep))
        yield from ((sql, {}) for sql in version_statements(mesh, feed))
        yield ledger_query("feed_origin.sql", mesh.dataset, feed.name, EVER, now)
        if deep:
            # The audit reads a day at a time.
            window = {"first_minute": begin, "last_minute": now}
            yield compare_lines.statement(mesh, feed), window
