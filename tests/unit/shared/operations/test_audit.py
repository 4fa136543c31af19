"""An audit's cost is known before it runs, and a plain one reads no JSON."""

import re
from datetime import timedelta

from shared.feeds.definition import find_feed
from shared.operations.accounts import DEEP, EVER, statements
from shared.operations.audit import begin_of
from shared.operations.mesh import Mesh
from shared.runtime.settings import MeshSettings
from tests.support.doubles import NOON

MESH = Mesh(MeshSettings(GCP_PROJECT="p", LANDING_BUCKET="landing"))
DOMAINS = find_feed("domains")
_TABLE = re.compile(r"`p\.vt_feeds\.(domains_history|minutes|domains)`")


def test_a_plain_audit_reads_no_json() -> None:
    """No statement names the column with the objects."""
    for sql in statements(MESH, DOMAINS, deep=False):
        assert not re.search(r"\bobject\b|JSON", sql), sql


def test_a_deep_audit_reads_objects() -> None:
    """A deep audit reads objects in separate statements."""
    plain = list(statements(MESH, DOMAINS, deep=False))
    deep = list(statements(MESH, DOMAINS, deep=True))
    assert deep[: len(plain)] == plain
    assert len(deep) == len(plain) + len(DEEP)
    assert all("object" in sql for sql in deep[len(plain) :])


def test_every_statement_is_bounded_by_since() -> None:
    """Every statement reads history and ledger only in the partitions since the start time."""
    for sql in statements(MESH, DOMAINS, deep=True):
        for found in _TABLE.finditer(sql):
            condition = sql[found.end() :].partition("\n)")[0][:200]
            assert re.search(r"WHERE [^\n]*>= @since", condition), sql


def test_an_audit_since_a_minute_inside_an_hour_begins_with_that_hour() -> None:
    """Of feeds of hours; of feeds of minutes it begins with the minute, and of none before its history."""
    since, lists = NOON + timedelta(minutes=10), find_feed("threat_lists")
    assert begin_of(lists, since, EVER) == NOON
    assert begin_of(DOMAINS, since, EVER) == since
    assert begin_of(lists, None, EVER) == EVER
    assert begin_of(lists, since, NOON + timedelta(days=1)) == NOON + timedelta(days=1)
