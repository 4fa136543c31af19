"""The package of an hour of threat lists: every list that the key may read, whole or not at all."""

import gzip
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.virustotal.threat_lists.content import LISTS as SIMULATED
from infra.local.virustotal.threat_lists.content import TIERS
from services.downloader.json_objects import BadLineError
from services.downloader.landing import land
from services.downloader.lines import Framer, Line
from services.downloader.threat_lists import ThreatLists
from shared.contracts.outcomes import Retryable, TransientError
from shared.feeds.definition import find_feed
from shared.virustotal.api_answer import ApiAnswer
from shared.virustotal.errors import NotAvailableYet, NotLicensed, PackageMissing, RequestRefused
from shared.virustotal.threat_lists import LISTS, Indicator, ThreatListReader
from tests.support import optional_tools
from tests.support.memory import MemoryBucket
from tests.support.paths import SAMPLES
from tests.support.threat_lists import HOUR, SimulatedLists
from tests.support.virustotal import NOW

FEED = find_feed("threat_lists")
ENOUGH = 100


@pytest.fixture
def api() -> SimulatedLists:
    """Return simulated lists of two indicators each."""
    return SimulatedLists()


def reading(
    source: SimulatedLists, *lists: str, limit: int = ENOUGH, seconds: float = 60, now: datetime = NOW
) -> ThreatLists:
    """Return a reader of hours."""
    return ThreatLists(
        ThreatListReader(source, limit),
        lists=lists,
        wait_for_missing=timedelta(hours=8),
        deadline=timedelta(seconds=seconds),
        now=lambda: now,
    )


def read(
    source: SimulatedLists, *lists: str, limit: int = ENOUGH, hour: datetime = HOUR, now: datetime = NOW
) -> list[dict[str, Any]]:
    """Return the objects of an hour's lines."""
    text = b"".join(reading(source, *lists, limit=limit, now=now).lines(hour))
    return [json.loads(line) for line in text.splitlines()]


def names(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return `<list>/<type>/<id>` of each line."""
    return ["/".join((line["threat_list"], line["data"]["type"], line["data"]["id"])) for line in lines]


def test_an_hour_has_every_list_in_order(api: SimulatedLists) -> None:
    """One request for the names and one for each list; every indicator of every list is a line."""
    lines = read(api)
    assert names(lines) == sorted(one for name in SIMULATED for one in api.ids(name))
    assert len(api.requested) == 15
    assert set(LISTS) == set(SIMULATED)
    assert {name: tuple(sorted(types)) for name, types in SIMULATED.items()} == dict(LISTS)


def test_an_element_is_a_line_byte_for_byte(api: SimulatedLists) -> None:
    """Only the list's name is added."""
    text = b"".join(reading(api, "ransomware", "malware").lines(HOUR))
    for line in text.splitlines():
        assert line.startswith((b'{"threat_list":"ransomware","data"', b'{"threat_list":"malware","data"'))
        assert any(b"{" + line.partition(b",")[2] in body for body in api.bodies)


def test_an_indented_answer_makes_one_line_an_element(api: SimulatedLists) -> None:
    """Line breaks are white space between tokens; the content is the same."""
    plain = read(api)
    api.change(pretty=True)
    assert read(api) == plain


def test_lines_land_with_ids_of_list_type_and_id(api: SimulatedLists) -> None:
    """The identity of the feed's definition is the id of the rows."""
    bucket = MemoryBucket()
    landed = land(bucket, FEED.name, HOUR, reading(api).lines(HOUR), FEED.identity)
    rows = [json.loads(line) for line in gzip.decompress(bucket.objects[bucket.name_of(landed.uri)].data).splitlines()]
    assert [row["id"] for row in rows] == names([row["object"] for row in rows])
    assert (landed.lines, landed.rejected, rows[-1]["feed_line"]) == (28, 0, 28)


@pytest.mark.parametrize("named", ["collection", "pages", "plain", "forbidden", "unknown"])
@pytest.mark.parametrize("tier", TIERS)
def test_lists_outside_the_tier_are_left_out(api: SimulatedLists, named: str, tier: str) -> None:
    """Whatever the names' answer is, the hour has the lists that the key may read."""
    api.change(named=named, tier=tier)
    assert {line["threat_list"] for line in read(api)} == set(TIERS[tier])


def test_names_on_several_pages_are_all_read(api: SimulatedLists, caplog: pytest.LogCaptureFixture) -> None:
    """Each page is a request that counts."""
    caplog.set_level(logging.INFO)
    api.change(named="pages")
    assert names(read(api)) == sorted(one for name in SIMULATED for one in api.ids(name))
    assert len(api.requested) == 16
    assert "14 lists of 2026-11-21T13:00:00Z with 16 requests" in caplog.text


def test_names_without_an_end_are_transient() -> None:
    """The hour is requested again, instead of being read for ever or without some lists."""

    class Endless:
        """An API whose every page leads to another one."""

        def answer(self, path: str, what: str) -> ApiAnswer:
            """Return a page."""
            return ApiAnswer(b'{"data":[{"id":"ransomware"}],"meta":{"cursor":"a"}}')

    with pytest.raises(TransientError, match="more than 10 pages"):
        ThreatListReader(Endless()).names()


def test_a_list_outside_the_tier_is_told_once(api: SimulatedLists, caplog: pytest.LogCaptureFixture) -> None:
    """A warning for each process, not for each hour."""
    api.change(named="forbidden", tier="enterprise")
    reader = reading(api)
    for hours in (0, 1):
        list(reader.lines(HOUR - timedelta(hours=hours)))
    told = [one.message for one in caplog.records if one.levelno == logging.WARNING]
    assert len(told) == 9
    assert any("list_not_licensed: phishing is left out" in one for one in told)


def test_a_key_that_may_read_no_list_has_no_licence(api: SimulatedLists) -> None:
    """Then the feed has a condition, as without a licence for a feed."""
    api.fault(kind="forbidden")
    with pytest.raises(NotLicensed):
        read(api)


def test_only_the_lists_of_the_setting_are_requested(api: SimulatedLists) -> None:
    """Nobody asks for the names then."""
    assert {line["threat_list"] for line in read(api, "phishing", "iot")} == {"phishing", "iot"}
    assert len(api.requested) == 2


def test_a_full_list_is_read_by_type(api: SimulatedLists) -> None:
    """Nothing is lost as long as no type is full, and nothing is marked."""
    api.change(counts={"malware": 20, "ransomware": 7})
    lines = read(api, "malware", "ransomware", limit=8)
    assert names(lines) == sorted(api.ids("malware") | api.ids("ransomware"))
    assert len(api.requested) == 6
    assert not any("cut" in line for line in lines)


def test_what_the_source_cuts_is_marked_and_told(api: SimulatedLists, caplog: pytest.LogCaptureFixture) -> None:
    """A type with as many indicators as an answer holds may have more: its lines say so, and the log."""
    api.change(counts={"ransomware": 9, "malware": 32, "iot": 3})
    lines = read(api, "malware", "ransomware", "iot", limit=8)
    assert {line["threat_list"] for line in lines if line.get("cut")} == {"malware", "ransomware"}
    assert len(lines) == 32 + 8 + 3
    told = [one.message for one in caplog.records if "list_cut" in one.message]
    assert len(told) == 5
    assert "ransomware of type file has 8 indicators or more at 2026-11-21T13:00:00Z" in told[-1]


@pytest.mark.parametrize("kind", ["null", "empty"])
def test_an_hour_without_indicators_is_normal(api: SimulatedLists, kind: str) -> None:
    """One list or all of them."""
    api.fault(kind=kind, list="ransomware")
    assert "ransomware" not in {line["threat_list"] for line in read(api)}
    api.fault(kind=kind)
    assert read(api) == []


def test_an_hour_that_is_not_out_yet_is_left_to_the_sweep(api: SimulatedLists) -> None:
    """The first list tells."""
    with pytest.raises(NotAvailableYet, match="not available until 2026-11-21 at 16:00 UTC because of privacy policy"):
        read(api, hour=HOUR + timedelta(hours=1))
    assert len(api.requested) == 2


@pytest.mark.parametrize(
    ("kind", "error"),
    [("rate_limited", TransientError), ("unavailable", TransientError), ("bad_request", RequestRefused)],
)
def test_a_list_that_fails_fails_the_hour(api: SimulatedLists, kind: str, error: type[Exception]) -> None:
    """Between two lists too: nothing lands, and the next delivery reads all of it."""
    api.fault(kind=kind, list="malware", times=1)
    bucket, reader = MemoryBucket(), reading(api)
    with pytest.raises(error):
        land(bucket, FEED.name, HOUR, reader.lines(HOUR), FEED.identity)
    assert not bucket.objects
    assert land(bucket, FEED.name, HOUR, reader.lines(HOUR), FEED.identity).lines == 28


@pytest.mark.parametrize("kind", ["forbidden", "missing"])
def test_a_list_that_is_refused_in_part_fails_the_hour(api: SimulatedLists, kind: str) -> None:
    """What was given as a whole is not left out when a type of it is refused: half of the list would land."""
    api.change(counts={"malware": 20})
    api.fault(kind=kind, list="malware", after=3, times=1)
    old = HOUR + timedelta(hours=9)
    with pytest.raises(Retryable, match="malware was given, and not its indicators of type"):
        read(api, "iot", "malware", limit=8, now=old)
    assert len(read(api, "iot", "malware", limit=8, now=old)) == 22


def test_a_missing_list_is_waited_for_and_then_left_out(api: SimulatedLists) -> None:
    """Like a missing package: it may still appear, and after some hours it holds up nothing."""
    with pytest.raises(PackageMissing, match="no-such-list"):
        read(api, "no-such-list", "iot")
    lines = read(api, "no-such-list", "iot", now=HOUR + timedelta(hours=9))
    assert {line["threat_list"] for line in lines} == {"iot"}


def test_an_hour_that_the_source_has_deleted_is_missing(api: SimulatedLists) -> None:
    """If no list has it, the package is missing, at any age; some sources serve it all the same."""
    old = HOUR - timedelta(days=7, hours=1)
    with pytest.raises(PackageMissing):
        read(api, hour=old)
    api.change(old="served")
    assert len(read(api, hour=old)) == 28


def test_another_download_gives_other_bytes(api: SimulatedLists) -> None:
    """Attributes are those of the download; the same indicators are there."""
    first = read(api)
    api.at(NOW + timedelta(minutes=1))
    second = read(api)
    assert names(first) == names(second)
    assert first != second


def test_an_hour_ends_at_its_deadline(api: SimulatedLists) -> None:
    """Before Pub/Sub delivers it again."""
    with pytest.raises(Retryable, match="longer than the deadline"):
        list(reading(api, seconds=-1).lines(HOUR))


def test_only_one_answer_is_held(api: SimulatedLists) -> None:
    """A list is requested when the lines of those before it are written, so an hour is never in memory whole."""
    lines = reading(api).lines(HOUR)
    seen = [(json.loads(line)["threat_list"], len(api.requested)) for line in lines]
    assert seen == [(name, number) for number, name in enumerate(LISTS, 2) for _ in range(2)]


def test_requests_are_in_the_log(api: SimulatedLists, caplog: pytest.LogCaptureFixture) -> None:
    """Each counts towards the key's quota."""
    caplog.set_level(logging.INFO)
    read(api)
    [entry] = [one for one in caplog.records if "downloader.threat_lists" in one.message]
    assert "14 lists of 2026-11-21T13:00:00Z with 15 requests" in entry.message
    assert entry.__dict__["fields"] == {"requests": 15, "lists": 14, "cut": 0}


class OneList:
    """A source with one list, whose answer is given."""

    limit = ENOUGH

    def __init__(self, body: bytes) -> None:
        self._body = body

    def names(self, before_request: Callable[[], None]) -> Sequence[str]:
        """Return the name."""
        return ("iot",)

    def indicators(self, name: str, hour: datetime, kind: str | None = None) -> list[Indicator]:
        """Return the elements as the real reader parses them."""
        return ThreatListReader(self, self.limit).indicators(name, hour, kind)

    def answer(self, path: str, what: str) -> ApiAnswer:
        """Return the response."""
        del path, what
        return ApiAnswer(self._body)


element = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"type": st.sampled_from(("file", "url")), "id": st.text(min_size=1), "n": st.none()}
        )
    }
)
odd = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("data", "id", "type", "x")), inner),
)


@given(st.lists(element | odd, max_size=20))
def test_every_element_is_loaded_once_or_rejected_with_a_reason(elements: list[Any]) -> None:
    """Whatever is in a list: equal elements are one line, and what has no type and id is kept as a reject."""
    source = ThreatLists(
        OneList(json.dumps({"iocs": elements}).encode()),
        deadline=timedelta(seconds=60),
        wait_for_missing=timedelta(),
        now=lambda: NOW,
    )
    lines = b"".join(source.lines(HOUR)).splitlines()
    known = {json.dumps(one): has_identity(one) for one in elements}
    expected = {
        json.dumps({"threat_list": "iot", **(json.loads(text) if good else {"element": json.loads(text)})}): good
        for text, good in known.items()
    }
    assert sorted(json.dumps(json.loads(line)) for line in lines) == sorted(expected)
    framer = Framer(HOUR, FEED.identity)
    for number, line in enumerate(lines, 1):
        good = expected[json.dumps(json.loads(line))]
        with nullcontext() if good else pytest.raises(BadLineError, match="no text at data"):
            framed = json.loads(b"".join(framer.frame(Line(number, line, len(line)))))
            data = framed["object"]["data"]
            assert framed["id"] == f"iot/{data['type']}/{data['id']}"


def has_identity(one: Any) -> bool:
    """Return whether an element has type and id."""
    data = one.get("data") if isinstance(one, dict) else None
    return isinstance(data, dict) and all(isinstance(data.get(name), str) and data[name] for name in ("type", "id"))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"data": []}', b'{"iocs": 1}', b'{"iocs": [}'])
def test_an_answer_that_is_no_list_is_trouble_on_the_way(body: bytes) -> None:
    """It is never taken for an empty hour."""
    source = OneList(body)
    with pytest.raises(TransientError, match="threat list iot 2026112113"):
        source.indicators("iot", HOUR)


@pytest.mark.parametrize("file", ["cryptominer_2025021913_3of286", "four_types_elastic_mock", "null_hour_constructed"])
def test_real_answers_are_read(file: str) -> None:
    """Each element has its type and id, and its bytes."""
    path = SAMPLES / "gti" / f"threat_list_{file}.json"
    if not path.exists():
        pytest.skip(optional_tools.SAMPLES.reason)
    source = OneList(path.read_bytes())
    expected = json.loads(path.read_bytes())["iocs"] or []
    found = source.indicators("iot", HOUR)
    assert [json.loads(one.text) for one in found] == expected
    assert [(one.type, one.id) for one in found] == [(one["data"]["type"], one["data"]["id"]) for one in expected]
