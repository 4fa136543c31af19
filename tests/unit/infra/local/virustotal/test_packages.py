"""The content of simulated packages."""

import bz2
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.virustotal.content import domain
from infra.local.virustotal.content.entity import Entity, is_fresh
from infra.local.virustotal.feeds import FEEDS
from infra.local.virustotal.packages import WRITERS, Package
from tests.support import optional_tools
from tests.support.paths import SAMPLES

MINUTE = datetime(2026, 11, 21, 14, 10, tzinfo=UTC)
KINDS = {
    "domains": "domain",
    "files": "file",
    "urls": "url",
    "ip_addresses": "ip_address",
    "file_behaviours": "file_behaviour",
}
ANALYSED = {feed: "analysis_date" if feed == "file_behaviours" else "last_analysis_date" for feed in FEEDS}


def package(feed: str, minute: datetime = MINUTE, lines: int = 20) -> Package:
    """Return the coordinates of a small package."""
    return Package(seed="unit", feed=feed, minute=minute, lines=lines)


@cache
def lines_of(feed: str) -> list[bytes]:
    """Return the lines of the usual minute."""
    return package(feed).lines_as_bytes()


@cache
def objects(feed: str) -> list[dict[str, Any]]:
    """Return the objects of the usual minute."""
    return [json.loads(line) for line in lines_of(feed)]


def paths(value: object, path: str = "") -> Iterator[str]:
    """Yield every path in a value, in the notation of the inventories."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{path}[]")


def generic(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object whose data keys are replaced by `<key>`."""
    attributes = dict(value["attributes"])
    for name in ("last_analysis_results", "categories", "popularity_ranks", "last_http_response_headers"):
        if attributes.get(name):
            attributes[name] = {"<key>": next(iter(attributes[name].values()))}
    return {**value, "attributes": attributes}


@pytest.mark.parametrize("feed", FEEDS)
def test_the_same_minute_always_has_the_same_bytes(feed: str) -> None:
    """A package is a function of seed, feed, minute and number of lines."""
    assert lines_of(feed) == package(feed).lines_as_bytes()


@pytest.mark.parametrize("other", [{"seed": "other"}, {"feed": "urls"}, {"minute": MINUTE + timedelta(minutes=1)}])
def test_another_seed_feed_or_minute_has_other_bytes(other: dict[str, Any]) -> None:
    """Only the coordinates determine the content."""
    first = package("domains", lines=1)
    assert replace(first, **other).lines_as_bytes() != first.lines_as_bytes()


@pytest.mark.parametrize("lines", [0, 1, 2, 60])
def test_a_package_has_exactly_the_lines_asked_for(lines: int) -> None:
    """Sixty lines are exactly sixty."""
    assert len(package("domains", lines=lines).lines_as_bytes()) == lines


@pytest.mark.parametrize("feed", FEEDS)
def test_lines_are_written_as_real_ones(feed: str) -> None:
    """Separators, size and compression ratio are those of real packages."""
    lines = lines_of(feed)
    text = b"\n".join(lines)
    assert all(line == json.dumps(json.loads(line)).encode() for line in lines)
    assert 14_000 < len(text) / len(lines) < 40_000
    assert 8 < len(text) / len(bz2.compress(text)) < 20


@pytest.mark.parametrize("feed", FEEDS)
def test_modification_dates_lie_in_the_last_seconds_of_the_batch(feed: str) -> None:
    """Analysis dates span earlier hours, modification dates do not."""
    attributes = [item["attributes"] for item in objects(feed)]
    start = int(MINUTE.timestamp())
    assert all(start + 57 <= item["last_modification_date"] <= start + 59 for item in attributes)
    analysed = [item[ANALYSED[feed]] for item in attributes]
    assert min(analysed) < start - 3600
    assert max(analysed) < start + 60


@pytest.mark.parametrize("feed", FEEDS)
def test_entities_return_in_every_order_of_versions(feed: str) -> None:
    """Later minutes have newer analyses, equal ones with a newer modification, and older ones."""
    newest: dict[Entity, int] = {}
    seen: Counter[str] = Counter()
    for number in range(6):
        minute = MINUTE + timedelta(minutes=number)
        versions = package(feed, minute).versions()
        for version in versions:
            before = newest.get(version.entity)
            if before is not None and version.entity.born < minute.timestamp():
                seen[_compare(version.analysed, before)] += 1
        for version in versions:
            newest[version.entity] = max(version.analysed, newest.get(version.entity, 0))
    assert set(seen) == {"newer", "equal", "older"}


def _compare(analysed: int, before: int) -> str:
    if analysed == before:
        return "equal"
    return "newer" if analysed > before else "older"


@pytest.mark.parametrize("feed", FEEDS)
def test_some_ids_stand_twice_in_one_minute(feed: str) -> None:
    """An object can occur twice in a package; most occur once."""
    counts = Counter(item["id"] for item in objects(feed))
    assert 2 in counts.values()
    assert sum(counts.values()) < 1.3 * len(counts)


def test_versions_of_an_entity_share_its_identity() -> None:
    """A new analysis changes the findings, not the object's identity."""
    first = package("domains").versions()[0]
    pair = [replace(first, analysed=first.analysed + more) for more in (0, 60)]
    one, two = (domain.write(version) for version in pair)
    assert one["id"] == two["id"]
    assert one["relationships"] == two["relationships"]
    assert one["attributes"] != two["attributes"]


def test_statistics_add_up_to_the_engines() -> None:
    """Every engine is counted once, and engine names are not valid column names."""
    for item in objects("domains"):
        results = item["attributes"]["last_analysis_results"]
        assert sum(item["attributes"]["last_analysis_stats"].values()) == len(results) == 95
    assert any("." in name for name in results)
    assert any(" " in name for name in results)


def test_a_behaviour_is_named_after_file_and_sandbox() -> None:
    """Ids contain the sandbox's name, including spaces."""
    ids = [item["id"] for item in objects("file_behaviours")]
    assert all(re.fullmatch(r"[0-9a-f]{64}_[\w ]+", name) for name in ids)
    assert any(" " in name for name in ids)


def test_addresses_are_of_both_versions() -> None:
    """Some ids of the address feed are IPv6 literals."""
    ids = [item["id"] for item in objects("ip_addresses")]
    assert {":" in name for name in ids} == {True, False}


@given(minute=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), lines=st.integers(1, 25))  # noqa: DTZ001 (the zone follows)
@settings(max_examples=10, deadline=None)
def test_feeds_refer_to_one_another(minute: datetime, lines: int) -> None:
    """An entity that appears in a minute of one feed is named by the other feeds of that minute, for any length."""
    minute = minute.replace(second=0, microsecond=0, tzinfo=UTC)
    born = {feed: list(born_in(package(feed, minute, lines))) for feed in FEEDS}
    ids = {feed: {item["id"] for item in items} for feed, items in born.items()}
    servers = {item["relationships"]["last_serving_ip_address"]["data"]["id"] for item in born["urls"]}
    assert servers <= ids["ip_addresses"]
    assert servers == {related(item, "resolutions")[0].removesuffix(item["id"]) for item in born["domains"]}
    assert {item["relationships"]["file"]["data"]["id"] for item in born["file_behaviours"]} == ids["files"]
    assert {item["attributes"]["url"].split("/")[2] for item in born["urls"]} == ids["domains"]
    assert {related(item, "urls")[0] for item in born["domains"]} == ids["urls"]
    for item in born["domains"]:
        [place] = {server for server in servers if f"{server}{item['id']}" in related(item, "resolutions")}
        assert place in {record["value"] for record in item["attributes"]["last_dns_records"]}
        assert set(related(item, "communicating_files")) <= ids["files"]
    contacting = {name for item in born["domains"] for name in related(item, "communicating_files")}
    assert contacting == {
        item["id"] for item in born["files"] if ids["domains"] & set(related(item, "contacted_domains"))
    }


def born_in(coordinates: Package) -> Iterator[dict[str, Any]]:
    """Yield the first versions of a package's new entities."""
    for slot in range(coordinates.lines):
        if is_fresh(slot):
            yield json.loads(json.dumps(WRITERS[coordinates.feed](coordinates.birth(slot))))


def related(item: dict[str, Any], name: str) -> list[str]:
    """Return the ids of a relationship."""
    return [one["id"] for one in item["relationships"][name]["data"]]


def test_a_server_shares_its_certificate_and_its_reputation() -> None:
    """The domains of one server share a certificate, and those of a bad one are mostly detected and often new."""
    domains = [item for number in range(40) for item in born_in(package("domains", MINUTE + timedelta(minutes=number)))]
    seen = Counter(item["attributes"]["last_https_certificate"]["thumbprint_sha256"] for item in domains)
    assert 2 <= max(seen.values()) <= 5
    detected = [item for item in domains if item["attributes"]["last_analysis_stats"]["malicious"]]
    shares = [sum(is_young(item) for item in items) / len(items) for items in (domains, detected)]
    assert 0.1 < shares[0] < shares[1] < 0.6


def is_young(item: dict[str, Any]) -> bool:
    """Return whether a domain was registered within a month of its analysis."""
    attributes = item["attributes"]
    return bool(attributes["last_analysis_date"] - attributes["creation_date"] < 30 * 86_400)


@pytest.mark.parametrize("feed", FEEDS)
def test_every_path_is_one_that_real_lines_have(feed: str) -> None:
    """No line has a field that VirusTotal does not use, and the top level is complete."""
    if not (SAMPLES / "feeds").is_dir():
        pytest.skip(optional_tools.SAMPLES.reason)
    inventory = (SAMPLES / "feeds" / f"field_inventory_{KINDS[feed]}.txt").read_text().split("\n\n")[0]
    real = {line.split("\t")[0] for line in inventory.splitlines() if not line.startswith("#")}
    ours = {path for item in objects(feed) for path in paths(generic(item))}
    assert ours - real == set()
    assert {path for path in real if "." not in path} <= ours


@pytest.mark.parametrize("feed", FEEDS)
def test_most_fields_of_real_lines_occur(feed: str) -> None:
    """Most fields of real lines occur in simulated ones."""
    if not (SAMPLES / "feeds").is_dir():
        pytest.skip(optional_tools.SAMPLES.reason)
    real = {
        f"{part}.{key}"
        for line in (SAMPLES / "feeds" / f"{KINDS[feed]}.ndjson").read_text().splitlines()
        for part in ("attributes", "relationships")
        for key in json.loads(line)[part]
    }
    ours = {path for item in objects(feed) for path in paths(item)}
    # Applications for Android have a block of their own, and few files are applications for Android.
    assert real - ours <= {"attributes.androguard", "attributes.threat_severity", "attributes.favicon"}
