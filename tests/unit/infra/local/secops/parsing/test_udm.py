"""What a record lacks or has otherwise than UDM is found."""

from datetime import UTC, datetime

import pytest

from infra.local.secops.parsing.proto_json import as_api_json, as_json
from infra.local.secops.parsing.udm import problems, read_udm

EVENT = {"metadata": {"event_type": "GENERIC_EVENT"}}
ENTITY = {"metadata": {"entity_type": "IP_ADDRESS"}, "entity": {"ip": ["203.0.113.1"]}}


def test_every_type_of_the_table_is_known() -> None:
    """A message, an enum, or a scalar."""
    udm = read_udm()
    scalars = {"string", "int", "float", "Timestamp", "Struct"}
    kinds = {kind.rstrip("*") for fields in udm.messages.values() for kind in fields.values()}
    assert kinds - scalars <= udm.messages.keys() | udm.enums.keys()
    assert udm.messages.keys() - kinds == {"UDM", "Entity"}


def test_a_record_that_keeps_to_udm_has_no_problem() -> None:
    """An event and an entity."""
    assert list(problems({"event": EVENT})) == []
    assert list(problems({"entity": ENTITY})) == []


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"event": {"metadata": {}}}, "event.metadata.event_type is not set"),
        ({"event": {**EVENT, "target": "x"}}, "event.target: 'x' is no Noun"),
        ({"event": {**EVENT, "goal": {}}}, "event.goal: no such field in UDM"),
        ({"event": {**EVENT, "security_result": {}}}, "event.security_result is repeated, and {} is not a list"),
        ({"event": {**EVENT, "security_result": [{"severity": "BIG"}]}}, "[0].severity: 'BIG' is no ProductSeverity"),
        ({"event": {**EVENT, "target": {"port": "80"}}}, "event.target.port: '80' is no int"),
        ({"event": {**EVENT, "target": {"url": ["x"]}}}, "event.target.url: ['x'] is no string"),
        ({"event": {"metadata": {**EVENT["metadata"], "event_timestamp": "now"}}}, "'now' is no Timestamp"),
        ({"entity": {**ENTITY, "entity": {"hostname": "x"}}}, "entity.entity.ip is not set"),
        (
            {"entity": {"metadata": {"entity_type": "DOMAIN_NAME"}, "entity": {"hostname": "_dmarc.example.net"}}},
            "entity.entity.hostname: '_dmarc.example.net' is no hostname",
        ),
        ({"entity": {"metadata": {}}}, "entity.metadata.entity_type is not set"),
    ],
)
def test_a_problem_is_found(record: dict[str, object], problem: str) -> None:
    """With its path."""
    assert any(problem in found for found in problems(record))


def test_records_are_written_as_protobuf_writes_them() -> None:
    """Times and durations are texts; the API has camel case, numbers as texts, and no zeros."""
    record = {"last_seen": datetime(2026, 6, 1, tzinfo=UTC), "dns_ttl": {"seconds": 60}, "size": 5, "risk_score": 0.0}
    written = {"last_seen": "2026-06-01T00:00:00Z", "dns_ttl": "60s", "size": 5, "risk_score": 0.0}
    assert as_json([record]) == [written]
    assert as_api_json([written]) == [{"lastSeen": "2026-06-01T00:00:00Z", "dnsTtl": "60s", "size": "5"}]
