"""The SecOps parser for ASM issues gives one event an issue, with the entity as its target and its vulnerabilities."""

import json
from itertools import islice

import pytest

from infra.local.secops.parsing.interpreter import Dropped, run_parser
from infra.local.secops.parsing.udm import problems
from infra.local.virustotal.streams.issues import PROJECTS, STATUSES, Issues
from shared.streams.definition import look_up
from tests.support import optional_tools
from tests.support.parser_samples import DIALECTS, ISSUES, RECEIVED, Item
from tests.support.paths import SAMPLES

NOW = 1_780_300_000.0
REAL = pytest.mark.skipif(not (SAMPLES / "gti").is_dir(), reason=optional_tools.SAMPLES.reason)


def issue(**fields: object) -> Item:
    """Return an issue of a host."""
    return {"id": "x", "entity_type": "Intrigue::Entity::Domain", "entity_name": "a.example", **fields}


def result_of(item: Item) -> Item:
    """Return the only result of an issue's event."""
    results = ISSUES.event_of(item)["security_result"]
    assert isinstance(results, list)
    [result] = results
    return result  # type: ignore[no-any-return]


def vulnerabilities_of(item: Item) -> list[Item]:
    """Return the vulnerabilities of an issue's event."""
    found = look_up(ISSUES.event_of(item), "extensions.vulns.vulnerabilities")
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("kind", "name", "host", "port"),
    [
        ("Uri", "https://host.example.com:443", "host.example.com", 443),
        ("Uri", "http://Host.Example.com/a:8/b", "host.example.com", None),
        ("Uri", "https://192.0.2.33:443/x", "192.0.2.33", 443),
        ("Uri", "https://[2001:DB8::17]:8443", "2001:db8::17", 8443),
        ("Uri", "https://[2001:db8::17]/", "2001:db8::17", None),
        ("Uri", "https://user:x@host.example.com:443/", None, None),
        ("Uri", "host.example.com", None, None),
        ("NetworkService", "198.51.100.7:5432/tcp", "198.51.100.7", 5432),
        ("NetworkService", "db.example.com:5432", "db.example.com", 5432),
        ("IpAddress", "2001:db8::1", "2001:db8::1", None),
        ("IpAddress", "198.51.100.8", "198.51.100.8", None),
        ("DnsRecord", "_dmarc.example.com", None, None),
        ("DnsRecord", "*.example.com", None, None),
        ("Domain", "example.com", "example.com", None),
        ("GithubRepository", "https://code.example.net/x", None, None),
        ("NetBlock", "192.0.2.0/28", None, None),
        ("Organization", "example.com", None, None),
        (None, "https://host.example.com", None, None),
    ],
)
def test_the_host_of_an_entity_is_the_target(kind: str | None, name: str, host: str | None, port: int | None) -> None:
    """A host or an address is a machine that was scanned; anything else is a resource only."""
    item = issue(entity_name=name, entity_type=kind and f"Intrigue::Entity::{kind}")
    event = ISSUES.same_in_every_reading(item)[0]["event"]
    address = look_up(event, "target.ip")
    assert look_up(event, "metadata.event_type") == ("SCAN_VULN_HOST" if host else "GENERIC_EVENT")
    assert (address[0] if isinstance(address, list) else look_up(event, "target.hostname")) == host
    assert (look_up(event, "target.port"), look_up(event, "target.resource.name")) == (port, name)
    labels = {label["key"]: label["value"] for label in result_of(item).get("detection_fields", ())}  # type: ignore[attr-defined]
    assert labels.get("host") == host
    assert ISSUES.valid(json.dumps(item))


def test_a_host_and_an_address_belong_to_the_asset() -> None:
    """An asset has either as well."""
    by_name, by_address = ISSUES.event_of(issue()), ISSUES.event_of(issue(entity_name="192.0.2.1"))
    assert look_up(by_name, "target.asset") == {"hostname": "a.example"}
    assert look_up(by_address, "target.asset") == {"ip": ["192.0.2.1"]}


@pytest.mark.parametrize(
    ("rank", "severity", "of_vulnerability"),
    [
        (1, "CRITICAL", "CRITICAL"),
        (2, "HIGH", "HIGH"),
        (3, "MEDIUM", "MEDIUM"),
        (4, "LOW", "LOW"),
        (5, "INFORMATIONAL", None),
        (6, None, None),
        ("1", "CRITICAL", "CRITICAL"),
        (None, None, None),
    ],
)
def test_severity_one_is_critical(rank: object, severity: str | None, of_vulnerability: str | None) -> None:
    """In the summary, or where it is missing at the top, as details have it."""
    for item in (issue(summary={"severity": rank}), issue(severity=rank)):
        assert result_of(item).get("severity") == severity
        assert vulnerabilities_of(item)[0].get("severity") == of_vulnerability


@pytest.mark.parametrize(
    ("status", "found"),
    [({"status": status}, status) for status in STATUSES]
    + [
        ({"status": None, "status_new": "closed", "status_new_detailed": None}, "closed"),
        ({"status": None, "status_new": "open", "status_new_detailed": "new"}, "open_new"),
        ({"status": "", "status_new": None}, None),
    ],
)
def test_a_status_is_open_or_closed(status: Item, found: str | None) -> None:
    """A null status of an older issue is in its parts; a false positive says so."""
    result = result_of(issue(summary=status))
    labels = {label["key"]: label["value"] for label in result.get("detection_fields", ())}  # type: ignore[attr-defined]
    assert labels.get("status") == found
    expected = {"open": "ACTIVE", "clos": "CLEARED"}.get((found or "")[:4])
    assert result.get("threat_status") == ("FALSE_POSITIVE" if found == "closed_false_positive" else expected)


@pytest.mark.parametrize(
    ("identifiers", "title", "cves"),
    [
        ([{"type": "CVE", "name": "CVE-2026-10001"}, {"name": "CVE-2026-10002"}], "x (CVE-2025-1000)", 2),
        (["CVE-2026-10001", "CWE-79", None, 7, {}], "x", 1),
        ("CVE-2026-10001", "x", 1),
        ("123", "x (CVE-2026-10001)", 1),
        ([], "x (CVE-2026-10001)", 1),
        (None, "x", 0),
    ],
)
def test_each_cve_is_a_vulnerability(identifiers: object, title: str, cves: int) -> None:
    """Of the identifiers, else of the title; without one the issue is the only vulnerability."""
    item = issue(pretty_name=title, summary={"identifiers": identifiers, "severity": 2})
    ISSUES.same_in_every_reading(item)
    found = vulnerabilities_of(item)
    assert [one["cve_id"] for one in found if "cve_id" in one] == ["CVE-2026-10001", "CVE-2026-10002"][:cves]
    assert len(found) == max(cves, 1)
    assert all((one["name"], one["severity"]) == (title, "HIGH") for one in found)


def test_a_vulnerability_scan_without_its_machine_or_finding_is_refused() -> None:
    """As UDM asks of SCAN_VULN_HOST: the scanner, the machine and the vulnerability."""
    [record] = run_parser(ISSUES.statements, json.dumps(issue()), RECEIVED)
    event = record["event"]
    assert isinstance(event, dict)
    assert list(problems(record)) == []
    assert list(problems({"event": {**event, "extensions": {}}})) == [
        "event.extensions.vulns.vulnerabilities is not set"
    ]
    assert list(problems({"event": {**event, "target": {"url": "https://a.example"}}})) == [
        "event.target names no machine"
    ]


def test_a_simulated_issue_gives_an_event() -> None:
    """New and old, open and closed."""
    for project in PROJECTS:
        for simulated in islice(Issues("s").current(project, NOW, flowing=True), 24):
            event = ISSUES.same_in_every_reading(json.loads(simulated.written()))[0]["event"]
            assert look_up(event, "metadata.product_log_id") == simulated.id
            assert ISSUES.valid(simulated.written().decode())


@REAL
def test_a_real_issue_gives_an_event() -> None:
    """The same verbatim and cleaned, and as UDM has it, also without a uid and with a null status."""
    page = json.loads((SAMPLES / "gti" / "asm_search_page_2025.json").read_bytes())
    old = json.loads((SAMPLES / "gti" / "asm_hit_status_null_2022.json").read_bytes())
    for item in [*page["result"]["hits"], *old]:
        event = ISSUES.same_in_every_reading(item)[0]["event"]
        assert look_up(event, "metadata.event_type") == "SCAN_VULN_HOST"
        assert result_of(item)["severity"] == "INFORMATIONAL"
        assert result_of(item)["threat_status"] in {"ACTIVE", "CLEARED"}
        assert result_of(item)["summary"]
        assert ISSUES.valid(json.dumps(item))


@pytest.mark.parametrize("log", ["no JSON", "[]", "{}", '{"id": null}', '{"id": "", "uid": ""}', '{"name": "x"}'])
def test_what_is_no_issue_is_dropped(log: str) -> None:
    """With a tag, which the tenant's ingestion metrics count."""
    for dialect in DIALECTS:
        with pytest.raises(Dropped, match="TAG_"):
            run_parser(ISSUES.statements, log, RECEIVED, dialect)
