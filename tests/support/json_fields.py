"""Queries of JSON fields as analysts write them, each with its answer over `RECORDS`.

They run on the local warehouse (`test_json_fields.py`), and Google's analyzer checks that BigQuery accepts them
(`test_sql_zetasql.py`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.support.landed import Object

MINUTE = datetime(2026, 11, 21, 14, 10, tzinfo=UTC)


def _record(name: str, reputation: int, *addresses: str) -> Object:
    records = [{"type": "A", "ttl": 60, "value": address} for address in addresses]
    extensions = {"1.3.6.1.4": "odd", "alternative": ["x", "y"]}
    certificate = {
        "subject": {"CN": name, "cn": "lower"},
        "extensions": extensions,
    }
    attributes = {
        "last_analysis_date": 1_760_000_000,
        "reputation": reputation,
        "score": 0.5,
        "parked": reputation == 0,
        "tags": ["t0", "t1"],
        "last_dns_records": records,
        "last_https_certificate": certificate,
    }
    return {"id": name, "type": "domain", "attributes": attributes}


RECORDS = (_record("a.example", 0, "192.0.2.1", "192.0.2.2"), _record("b.example", -7, "192.0.2.2"))


@dataclass(frozen=True)
class Question:
    """A query, and its rows."""

    title: str
    sql: str
    rows: list[dict[str, Any]]


QUESTIONS = (
    Question(
        "a field of the view",
        "SELECT attributes.reputation FROM `vt_feeds.domains` ORDER BY id",
        [{"reputation": 0}, {"reputation": -7}],
    ),
    Question(
        "a subscript, and a field of what it finds",
        "SELECT id, attributes.last_dns_records[0].value FROM `vt_feeds.domains` ORDER BY id",
        [{"id": "a.example", "value": "192.0.2.1"}, {"id": "b.example", "value": "192.0.2.2"}],
    ),
    Question(
        "what is not there is NULL",
        "SELECT attributes.last_dns_records[1].value, attributes.no.such[3].field FROM `vt_feeds.domains` ORDER BY id",
        [{"value": "192.0.2.2", "field": None}, {"value": None, "field": None}],
    ),
    Question(
        "the table function",
        "SELECT d.attributes.last_dns_records[0].ttl AS ttl FROM `vt_feeds.domains_between`("
        "TIMESTAMP '2026-11-21 14:00:00+00', TIMESTAMP '2026-11-21 15:00:00+00') AS d ORDER BY d.id",
        [{"ttl": 60}, {"ttl": 60}],
    ),
    Question(
        "history",
        "SELECT object.attributes.reputation FROM `vt_feeds.domains_history`"
        " WHERE INT64(object.attributes.reputation) < 0",
        [{"reputation": -7}],
    ),
    Question(
        "names keep their case, and may hold dots",
        "SELECT STRING(attributes.last_https_certificate.subject.CN) AS upper,"
        " STRING(attributes.last_https_certificate.subject.cn) AS lower,"
        " attributes.last_https_certificate.extensions['1.3.6.1.4'] AS dotted"
        " FROM `vt_feeds.domains` ORDER BY id LIMIT 1",
        [{"upper": "a.example", "lower": "lower", "dotted": "odd"}],
    ),
    Question(
        "by type",
        "SELECT INT64(attributes.reputation) AS whole, FLOAT64(attributes.score) AS part,"
        " BOOL(attributes.parked) AS yes, LAX_STRING(attributes.reputation) AS text,"
        " JSON_VALUE(attributes.last_dns_records[0].value) AS address,"
        " JSON_VALUE(attributes, '$.last_dns_records[0].type') AS by_path FROM `vt_feeds.domains` ORDER BY id LIMIT 1",
        [{"whole": 0, "part": 0.5, "yes": True, "text": "0", "address": "192.0.2.1", "by_path": "A"}],
    ),
    Question(
        "groups",
        "SELECT STRING(attributes.last_dns_records[0].type) AS type, COUNT(*) AS domains"
        " FROM `vt_feeds.domains` AS d WHERE INT64(d.attributes.reputation) <= 0 GROUP BY type",
        [{"type": "A", "domains": 2}],
    ),
    Question(
        "a common table expression",
        "WITH seen AS (SELECT id, attributes.last_https_certificate AS certificate FROM `vt_feeds.domains`)"
        " SELECT seen.certificate.subject.CN AS name, certificate.extensions.alternative[1] AS other"
        " FROM seen ORDER BY seen.id",
        [{"name": "a.example", "other": "y"}, {"name": "b.example", "other": "y"}],
    ),
    Question(
        "a join of the view with history",
        "SELECT d.id, h.object.attributes.last_dns_records[0].value AS address FROM `vt_feeds.domains` AS d"
        " JOIN `vt_feeds.domains_history` AS h ON h.id = d.id"
        " AND INT64(h.object.attributes.reputation) = INT64(d.attributes.reputation) ORDER BY d.id",
        [{"id": "a.example", "address": "192.0.2.1"}, {"id": "b.example", "address": "192.0.2.2"}],
    ),
    Question(
        "elements of an array, one row each",
        "SELECT STRING(record.value) AS address, COUNT(*) AS domains FROM `vt_feeds.domains` AS d,"
        " UNNEST(JSON_QUERY_ARRAY(d.attributes.last_dns_records)) AS record"
        " WHERE STRING(record.type) = 'A' GROUP BY address ORDER BY address",
        [{"address": "192.0.2.1", "domains": 1}, {"address": "192.0.2.2", "domains": 2}],
    ),
    Question(
        "a subquery that looks out",
        "SELECT id FROM `vt_feeds.domains` AS d WHERE EXISTS (SELECT 1 FROM"
        " UNNEST(JSON_QUERY_ARRAY(d.attributes.last_dns_records)) AS record WHERE STRING(record.value) = '192.0.2.1')",
        [{"id": "a.example"}],
    ),
    Question(
        "an ARRAY counts as an ARRAY",
        "SELECT tags[0] AS first, tags[OFFSET(1)] AS second, tags[ORDINAL(1)] AS again, tags[SAFE_OFFSET(9)] AS none"
        " FROM `vt_feeds.domains` ORDER BY id LIMIT 1",
        [{"first": "t0", "second": "t1", "again": "t0", "none": None}],
    ),
    Question(
        "a STRUCT stays a STRUCT",
        "SELECT s.a, t.s.b.c, s.items[0].d, s.j.k[1] AS k FROM (SELECT"
        " STRUCT(1 AS a, STRUCT('x' AS c) AS b, [STRUCT(2 AS d)] AS items, JSON '{\"k\": [3, 4]}' AS j) AS s) AS t",
        [{"a": 1, "c": "x", "d": 2, "k": 4}],
    ),
    Question(
        "a table's alias stays a table's alias",
        "SELECT attributes.id, attributes.attributes.reputation FROM `vt_feeds.domains` AS attributes ORDER BY 1",
        [{"id": "a.example", "reputation": 0}, {"id": "b.example", "reputation": -7}],
    ),
    Question(
        "columns without a name are f0_, f1_ and so on",
        "SELECT COUNT(*), ANY_VALUE(id) AS id, MAX(tags[0]) FROM `vt_feeds.domains` WHERE id = 'a.example'",
        [{"f0_": 1, "id": "a.example", "f1_": "t0"}],
    ),
    Question(
        "JSON_QUERY of JSON is JSON, and of a STRING a STRING",
        "SELECT JSON_QUERY(attributes, '$.last_dns_records')[0].ttl, JSON_QUERY('{\"a\": [1]}', '$.a') AS text"
        " FROM `vt_feeds.domains` ORDER BY id LIMIT 1",
        [{"ttl": 60, "text": "[1]"}],
    ),
)
