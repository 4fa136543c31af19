"""Rules, searches and the dashboard keep to the published grammar and to UDM, and find what the samples hold."""

import json
from copy import deepcopy

import pytest
import yaml
from lark.exceptions import UnexpectedInput

from shared.streams.definition import look_up
from tests.support import optional_tools
from tests.support.parser_samples import (
    CONTENT,
    LISTED,
    NOTIFICATIONS,
    PARSERS,
    REAL_PAGES,
    Item,
    OwnParser,
    expected_of,
    items_of,
)
from tests.support.paths import DOCS
from tests.support.yaral import holds, outcomes, placeholders, problems, read, section

RULES = {file.stem: file.read_text(encoding="utf-8") for file in sorted((CONTENT / "rules").glob("*.yaral"))}
SEARCHES = yaml.safe_load((CONTENT / "searches.yaml").read_text(encoding="utf-8"))


def expected(parser: OwnParser, kind: str) -> list[Item]:
    """Return the expected events or entities of a parser's sample pages."""
    records = [record for page in parser.pages for item in expected_of(page) for record in item]
    return [record[kind] for record in records if kind in record]  # type: ignore[misc]


# Elements of threat lists give entities alone.
EVENTS = {parser.stream: events for parser in PARSERS if (events := expected(parser, "event"))}
EVERY_EVENT = [event for events in EVENTS.values() for event in events]
# A notification's event and its entity follow each other.
RECORDS = [record for page in NOTIFICATIONS.pages for item in expected_of(page) for record in item]
ENTITIES = expected(NOTIFICATIONS, "entity")


def test_a_rule_keeps_to_the_grammar_and_to_udm() -> None:
    """Sections, variables, joins, fields, enums and aggregates; the file is named after its rule."""
    assert sorted(RULES) == [
        *("gti_asm_exposed_host", "gti_dtm_high_alert", "gti_dtm_leaked_account_login"),
        *("gti_hunting_match", "gti_indicator_seen", "gti_two_sources"),
    ]
    for name, text in RULES.items():
        tree = read(text, "rule")
        assert str(tree.children[0]) == name
        assert list(problems(tree)) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("$seen.target.hostname =", "$seen.target.host =", "$seen.target.host: no such field"),
        ('"MALICIOUS"', '"BAD"', "is no ThreatVerdict"),
        ("$indicator over", "$indicators over", "match: $indicators is not declared"),
        ("over 1h", "over 3d", "match: 3d is more than 48 hours"),
        ("max($gti.graph.metadata.threat.risk_score)", "$gti.graph.metadata.threat.risk_score", "without an aggregate"),
        ("max($gti", "average($gti", "average is not used here"),
        ("$seen and $gti\n", "$seen\n", "condition: $gti does not occur"),
        ("author", "writer", "meta: author is missing"),
        ("  match:\n    $indicator over 1h\n", "", "a rule of several variables has a match section"),
    ],
)
def test_a_defect_of_a_rule_is_seen(old: str, new: str, problem: str) -> None:
    """Each check finds what breaks it."""
    text = RULES["gti_indicator_seen"].replace(old, new)
    assert any(problem in found for found in problems(read(text, "rule")))


def test_variables_that_are_not_joined_are_seen() -> None:
    """And a rule about entities alone."""
    text = RULES["gti_indicator_seen"]
    begin, end = text.index("    ($seen.network"), text.index("  match:")
    assert "$gti and $seen are not joined" in problems(read(text[:begin] + text[end:], "rule"))
    alone = text.replace("$seen.", "$seen.graph.")
    assert "a rule is about one UDM event at least" in problems(read(alone, "rule"))


@pytest.mark.parametrize(
    "text",
    [
        'rule x { events: $e.metadata.id = "1" condition: $e }',
        'rule x { meta: a = "b" events: $e.metadata.id == "1" condition: $e }',
        'rule x { meta: a = "b" condition: $e events: $e.metadata.id = "1" }',
        "rule x { meta: a = \"b\" events: $e.metadata.id = '1' condition: $e }",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    """By its place."""
    with pytest.raises(UnexpectedInput):
        read(text, "rule")


TOUCHES = [
    ("login.example.org", {"network": {"dns": {"questions": [{"name": "login.example.org"}]}}}),
    ("login.example.org", {"target": {"hostname": "login.example.org"}}),
    ("203.0.113.9", {"target": {"ip": ["198.51.100.1", "203.0.113.9"]}}),
    ("2001:db8::17", {"principal": {"ip": ["2001:db8::17"]}}),
    # Of threat lists.
    ("198.51.100.44", {"target": {"ip": ["198.51.100.44"]}}),
    ("http://files.example.org/get/payload.bin", {"target": {"url": "http://files.example.org/get/payload.bin"}}),
    (
        "https://pay.example.com/invoice?id=7&next=%2Fhome",
        {"target": {"url": "https://pay.example.com/invoice?id=7&next=%2Fhome"}},
    ),
    (
        "d47712cceb4c780603026e6325221c1bcff90679ebc076baa51c71ebe796717c",
        {
            "target": {
                "process": {"file": {"sha256": "d47712cceb4c780603026e6325221c1bcff90679ebc076baa51c71ebe796717c"}}
            }
        },
    ),
]


@pytest.mark.parametrize(("indicator", "event"), TOUCHES)
def test_an_event_that_touches_an_indicator_is_seen(indicator: str, event: dict[str, object]) -> None:
    """By the one entity that it touches; entities as SecOps keeps them say that they are a customer's."""
    assert touched({"metadata": {"product_name": "Proxy"}, **event}) == [indicator]


def touched(event: dict[str, object]) -> list[object]:
    """Return the indicators of the entities with which an event makes the rule fire."""
    rule = read(RULES["gti_indicator_seen"], "rule")
    return [
        look_up(entity, "metadata.product_entity_id")
        for entity in map(as_kept, (*ENTITIES, *expected(LISTED, "entity")))
        if holds(rule, {"seen": event, "gti": entity})
    ]


def as_kept(entity: dict[str, object]) -> dict[str, object]:
    """Return an entity with the source type that SecOps adds."""
    kept = deepcopy(entity)
    kept["metadata"]["source_type"] = "ENTITY_CONTEXT"  # type: ignore[index]
    return kept


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"target": {"hostname": "example.org"}},
        # Undetected: left out by the rule.
        {"target": {"hostname": "news.example.net"}},
    ],
)
def test_any_other_event_is_not_seen(event: dict[str, object]) -> None:
    """Least of all by what it lacks, and a notification by itself."""
    assert touched({"metadata": {"product_name": "Proxy"}, **event}) == []
    assert not any(touched(event) for event in EVERY_EVENT)


def test_a_hunting_match_of_high_severity_is_found() -> None:
    """And no other notification of the samples."""
    rule = read(RULES["gti_hunting_match"], "rule")
    found = [event for event in EVERY_EVENT if holds(rule, {"match": event})]
    assert logs_of(found) == ["20000000102"]


def test_an_indicator_that_another_source_knows_is_found() -> None:
    """Each kind, by the entity of the other source alone."""
    rule = read(RULES["gti_two_sources"], "rule")
    for entity in ENTITIES:
        other = as_kept(entity)
        other["metadata"] |= {"product_name": "MISP"}  # type: ignore[operator]
        found = [event for event in EVERY_EVENT if holds(rule, {"gti": event, "other": other})]
        assert logs_of(found) == [log_of(entity)]
        assert not any(holds(rule, {"gti": event, "other": as_kept(entity)}) for event in EVERY_EVENT)
        other["metadata"] |= {"threat": []}  # type: ignore[operator]
        assert not any(holds(rule, {"gti": event, "other": other}) for event in EVERY_EVENT)


def test_a_new_alert_of_high_severity_is_found() -> None:
    """By its monitor; neither a later change of its status nor any other event."""
    rule = read(RULES["gti_dtm_high_alert"], "rule")
    found = [event for event in EVERY_EVENT if holds(rule, {"alert": event})]
    assert logs_of(found) == ["d8sample00000000c001", "d8sample00000000d001"]


LEAKED = "d8sample00000000c001"


@pytest.mark.parametrize(
    ("user", "found"),
    [
        ({"target": {"user": {"userid": "J.Doe@acme.example.com"}}}, [LEAKED]),
        (
            {"target": {"user": {"userid": "17", "email_addresses": ["x@y.test", "j.doe@ACME.example.com"]}}},
            [LEAKED],
        ),
        ({"principal": {"user": {"email_addresses": ["j.doe@acme.example.com"]}}}, [LEAKED]),
        ({"target": {"user": {"userid": "Customer17"}}}, ["d8sample00000000c002"]),
        ({"target": {"user": {"userid": "other@acme.example.com"}}}, []),
        ({}, []),
    ],
)
def test_a_login_of_a_leaked_account_is_found(user: Item, found: list[str]) -> None:
    """By its name or an address in any letters, while the alert is open; a login without a user by none."""
    login = {"metadata": {"event_type": "USER_LOGIN"}, "security_result": [{"action": ["ALLOW"]}], **user}
    failed = {**login, "security_result": [{"action": ["BLOCK"]}]}
    assert logs_of(of_leaked_account(login)) == found
    assert not of_leaked_account(failed)


def of_leaked_account(login: Item) -> list[Item]:
    """Return the alerts with which a login makes the rule fire."""
    rule = read(RULES["gti_dtm_leaked_account_login"], "rule")
    return [event for event in EVERY_EVENT if holds(rule, {"alert": event, "login": login})]


OUTSIDE = {"ip": ["203.0.113.200"]}


@pytest.mark.parametrize(
    ("inbound", "found"),
    [
        ({"principal": OUTSIDE, "target": {"ip": ["198.51.100.7"], "port": 5432}}, ["198.51.100.7:5432/tcp"]),
        ({"principal": OUTSIDE, "target": {"hostname": "VPN.example.com"}}, ["https://vpn.example.com:443"]),
        # Closed, and of no high severity.
        ({"principal": OUTSIDE, "target": {"ip": ["198.51.100.8"]}}, []),
        ({"principal": OUTSIDE, "target": {"hostname": "host.example.com"}}, []),
        ({"principal": {"ip": ["10.1.2.3"]}, "target": {"ip": ["198.51.100.7"]}}, []),
        ({"target": {"ip": ["198.51.100.7"]}}, []),
        ({"principal": OUTSIDE}, []),
        (
            {"principal": OUTSIDE, "target": {"ip": ["198.51.100.7"]}, "security_result": [{"action": ["BLOCK"]}]},
            [],
        ),
    ],
)
def test_a_connection_to_a_host_with_an_open_issue_is_found(inbound: Item, found: list[str]) -> None:
    """From outside, not blocked, and to the issue's own host; a connection without a target by none."""
    rule = read(RULES["gti_asm_exposed_host"], "rule")
    event = {"metadata": {"event_type": "NETWORK_CONNECTION"}, **inbound}
    issues = [issue for issue in EVERY_EVENT if holds(rule, {"issue": issue, "inbound": event})]
    assert [look_up(issue, "target.resource.name") for issue in issues] == found


def logs_of(events: list[Item]) -> list[object]:
    """Return the ids of the logs that events come from."""
    return [look_up(event, "metadata.product_log_id") for event in events]


def log_of(entity: dict[str, object]) -> object:
    """Return the notification id of an entity's event."""
    place = next(number for number, record in enumerate(RECORDS) if record.get("entity") == entity)
    return look_up(RECORDS[place - 1], "event.metadata.product_log_id")


@pytest.mark.parametrize("stream", EVENTS)
def test_each_search_of_a_stream_finds_some_but_the_first_not_all(stream: str) -> None:
    """On its sample pages; a search that finds everything asks nothing. The first finds its stream's events alone."""
    for number, entry in enumerate(SEARCHES[stream]):
        tree = read(entry["search"], "search")
        assert list(problems(tree)) == []
        found = [event for event in EVENTS[stream] if holds(tree, {"": event})]
        assert found
        assert (len(found) == len(EVENTS[stream])) is (number == 0), entry
    whole = read(SEARCHES[stream][0]["search"], "search")
    assert [event for event in EVERY_EVENT if holds(whole, {"": event})] == EVENTS[stream]


@pytest.mark.skipif(not REAL_PAGES, reason=optional_tools.SAMPLES.reason)
def test_searches_that_name_no_value_find_real_notifications() -> None:
    """Searches without a value find real notifications, also those with descriptors only or an older severity."""
    logs = [json.dumps(item) for page in REAL_PAGES for item in items_of(page)]
    events = [record["event"] for log in logs for record in NOTIFICATIONS.records_of(log) if "event" in record]
    found = {
        entry["purpose"]
        for entry in SEARCHES["ioc_stream"]
        if any(holds(read(entry["search"], "search"), {"": event}) for event in events)
    }
    assert found >= {
        "the whole stream",
        "matches of hunting rules",
        "matches that no engine detects yet",
        "a malware family or an actor, any or one by name",
    }


def test_the_page_lists_the_searches() -> None:
    """As they are in the file."""
    page = (DOCS / "secops.md").read_text(encoding="utf-8")
    for entry in (entry for entries in SEARCHES.values() for entry in entries):
        assert f"| {entry['purpose']} | `{entry['search'].replace('|', chr(92) + '|')}` |" in page


DASHBOARD = json.loads((CONTENT / "dashboard.json").read_bytes())["dashboards"][0]
QUERIES = {query["name"]: query["query"] for query in DASHBOARD["dashboardQueries"]}


def test_a_query_of_the_dashboard_keeps_to_the_grammar_and_to_udm() -> None:
    """Entities have fields of their own."""
    for chart in DASHBOARD["dashboardCharts"]:
        if chart["tileType"] == "TILE_TYPE_VISUALIZATION":
            query = QUERIES[chart["chartDatasource"]["dashboardQuery"]]
            assert list(problems(read(query, "query"))) == []
            [source] = chart["chartDatasource"]["dataSources"]
            assert source == ("ENTITY" if "graph." in query else "UDM")


def test_a_query_of_the_dashboard_finds_something() -> None:
    """In the events, or in the entities, of the sample pages."""
    for query in QUERIES.values():
        tree = read(query, "query")
        assert any(holds(tree, {"": record}) for record in (*EVENTS["ioc_stream"], *ENTITIES)), query


def test_the_dashboard_holds_together() -> None:
    """Every chart is placed once and has its query; what it shows, its query gives; tiles do not overlap."""
    charts = {chart["name"]: chart for chart in DASHBOARD["dashboardCharts"]}
    placed = [place["dashboardChart"] for place in DASHBOARD["dashboard"]["definition"]["charts"]]
    assert sorted(placed) == sorted(charts)
    [time_filter] = DASHBOARD["dashboard"]["definition"]["filters"]
    with_query = {name for name, chart in charts.items() if "chartDatasource" in chart}
    assert set(time_filter["chartIds"]) == with_query
    assert {charts[name]["chartDatasource"]["dashboardQuery"] for name in with_query} == QUERIES.keys()
    for name in with_query:
        tree = read(QUERIES[charts[name]["chartDatasource"]["dashboardQuery"]], "query")
        assert shown(charts[name]["visualization"]) <= columns(tree)
    cells = [
        cell for place in DASHBOARD["dashboard"]["definition"]["charts"] for cell in cells_of(place["chartLayout"])
    ]
    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) < 96


def columns(tree: object) -> set[str]:
    """Return what a query gives: its match and outcome variables, without the dollar sign."""
    match = section(tree, "match")  # type: ignore[arg-type]
    matched = {str(token) for token in match.children} if match else set()
    known = placeholders(tree) | outcomes(tree).keys()  # type: ignore[arg-type]
    return {name.removeprefix("$") for name in known if name in matched or name in outcomes(tree)}  # type: ignore[arg-type]


def shown(visualization: dict[str, object]) -> set[str]:
    """Return the columns that a chart shows."""
    encoded = [series["encode"].values() for series in visualization.get("series", ())]  # type: ignore[attr-defined]
    defined = [column["field"] for column in visualization.get("columnDefs", ())]  # type: ignore[attr-defined]
    return {name for names in encoded for name in names} | set(defined)


def cells_of(layout: dict[str, int]) -> list[tuple[int, int]]:
    """Return the cells of a tile in the grid of 96 columns."""
    return [
        (layout["startX"] + column, layout["startY"] + row)
        for column in range(layout["spanX"])
        for row in range(layout["spanY"])
    ]
