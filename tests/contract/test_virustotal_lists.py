"""Pages of the simulated lists, read by the real client: filters, orders, cursors, and what goes wrong."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import stamina
from pydantic import SecretStr

from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.virustotal.streams.client import ListsControl
from shared.streams import JsonObject, find_stream
from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.errors import KeyRefused, NotLicensed, RequestRefused, SourceTrouble
from shared.virustotal.pages import Pages, Question
from tests.simulator import KEY, Running

STREAM = find_stream("ioc_stream")
NOW = datetime.now(UTC).replace(microsecond=0)
HOURS_AGO = NOW - timedelta(hours=3)
SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "ioc_stream"


@pytest.fixture(autouse=True)
def _quick_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


@pytest.fixture
def lists(vt: Running) -> ListsControl:
    """Return the control of the lists, with no notification by itself."""
    lists = ListsControl(vt.url)
    lists.set_settings(flowing=False)
    return lists


def pages(vt: Running) -> Pages:
    """Return the real client of the simulator."""
    return Pages(VirusTotal(api_url=f"{vt.url}/api/v3", key=FixedKey(SecretStr(DEFAULT_KEY))))


def question(text: str = "", order: str = "date+", limit: int = 40, cursor: str | None = None) -> Question:
    """Return a question to ioc_stream."""
    return Question("/ioc_stream", text, order, limit, cursor)


def walk(vt: Running, first: Question) -> list[JsonObject]:
    """Return every item of a walk."""
    items: list[JsonObject] = []
    asked = first
    while True:
        page = pages(vt).page(asked)
        items += [json.loads(item.text) for item in page.items]
        if page.cursor is None:
            return items
        asked = Question(asked.path, asked.filter, asked.order, asked.limit, page.cursor)


def ids(items: list[JsonObject]) -> list[str | None]:
    """Return the notifications' ids."""
    return [STREAM.key_of(item) for item in items]


def test_a_walk_gives_everything_once_in_either_order(vt: Running, lists: ListsControl) -> None:
    """Equal dates at page edges included; each order is the other's reverse, except among equal dates."""
    added = lists.add(HOURS_AGO, count=23, spacing=0.4)
    up, down = walk(vt, question(limit=4)), walk(vt, question(order="date-", limit=4))
    assert sorted(ids(up), key=str) == sorted(ids(down), key=str) == sorted(added)
    dates = [STREAM.date_of(item) for item in up]
    assert dates == sorted(dates, key=str)
    assert [STREAM.date_of(item) for item in down] == dates[::-1]
    assert len(set(dates)) < len(dates)


def test_arrivals_do_not_shift_pages(vt: Running, lists: ListsControl) -> None:
    """What is newer comes on a later page; what appears late with an older date does not come at all."""
    lists.add(HOURS_AGO, count=6, spacing=60)
    first = pages(vt).page(question(limit=4))
    [late] = lists.add(HOURS_AGO - timedelta(minutes=1))
    [newer] = lists.add(NOW - timedelta(minutes=1))
    rest = walk(vt, question(limit=4, cursor=first.cursor))
    assert len(rest) == 3
    assert newer in ids(rest)
    assert late not in ids(rest)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("origin:hunting", lambda item: item["context_attributes"]["origin"] == "hunting"),
        ("entity_type:url", lambda item: item["type"] == "url"),
        ("source_type:threat_profile", lambda item: item["context_attributes"]["hunting_info"] is None),
        (
            "origin:subscriptions entity_type:domain",
            lambda item: item["type"] == "domain" and not item["context_attributes"]["tags"],
        ),
    ],
)
def test_filters_choose(vt: Running, lists: ListsControl, text: str, fits: Any) -> None:
    """Terms are joined by AND."""
    lists.add(HOURS_AGO, count=40, spacing=1)
    chosen = walk(vt, question(text))
    assert chosen
    assert ids(chosen) == ids([item for item in walk(vt, question()) if fits(item)])


@pytest.mark.parametrize("form", ["{:%Y-%m-%dT%H:%M:%S}", "{0}"])
def test_dates_bound_both_sides(vt: Running, lists: ListsControl, form: str) -> None:
    """From and until, both inclusive, as a date or in epoch seconds."""
    added = lists.add(HOURS_AGO, count=10, spacing=60)
    begin, end = HOURS_AGO + timedelta(minutes=2), HOURS_AGO + timedelta(minutes=5)
    written = [form.format(moment if ":" in form else int(moment.timestamp())) for moment in (begin, end)]
    assert ids(walk(vt, question(f"date:{written[0]}+ date:{written[1]}-"))) == added[2:6]
    assert len(walk(vt, question("date:4h+"))) == 10
    assert not walk(vt, question("date:1h+"))


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (question("origin:notHunting"), 'origin "notHunting" is not valid. Valid origins are: hunting,subscriptions'),
        (question("nonsense:1"), 'filter "nonsense:1" is not valid'),
        (question("date:soon+"), 'date "soon" is not valid'),
        (question(order="date "), 'order "date " is not valid'),
        (question(limit=41), 'limit "41" is not valid'),
        (question(limit=0), 'limit "0" is not valid'),
        (question(cursor="made-up"), "Invalid cursor"),
    ],
)
def test_a_wrong_question_is_refused(vt: Running, asked: Question, reason: str) -> None:
    """400 with the source's words, and it is not asked again."""
    with pytest.raises(RequestRefused) as refused:
        pages(vt).page(asked)
    assert reason in str(refused.value)


def test_an_unencoded_plus_arrives_as_a_space(vt: Running) -> None:
    """Which is why the predecessor could only read newest first."""
    answer = requests.get(f"{vt.url}/api/v3/ioc_stream?order=date+", headers=KEY, timeout=5)
    assert answer.status_code == 400


def test_a_cursor_belongs_to_its_question_and_may_expire(vt: Running, lists: ListsControl) -> None:
    """With another filter it is refused, and so it is once its time is over."""
    lists.add(HOURS_AGO, count=9, spacing=1)
    cursor = pages(vt).page(question(limit=4)).cursor
    with pytest.raises(RequestRefused, match="another filter"):
        pages(vt).page(question("origin:hunting", limit=4, cursor=cursor))
    lists.set_settings(flowing=False, cursor_seconds=60)
    assert pages(vt).page(question(limit=4, cursor=cursor)).items
    vt.control.move_clock(120)
    with pytest.raises(RequestRefused, match="has expired"):
        pages(vt).page(question(limit=4, cursor=cursor))


def test_a_notification_lives_a_week(vt: Running, lists: ListsControl) -> None:
    """Older ones are gone, even when they are asked for."""
    [old] = lists.add(NOW - timedelta(days=7, minutes=1))
    [young] = lists.add(NOW - timedelta(days=6, hours=23))
    found = ids(walk(vt, question()))
    assert (old in found, young in found) == (False, True)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limited", SourceTrouble),
        ("rate_limited_html", SourceTrouble),
        ("unavailable", SourceTrouble),
        ("not_json", SourceTrouble),
        ("no_data", SourceTrouble),
        ("unauthorized", KeyRefused),
        ("forbidden", NotLicensed),
    ],
)
def test_each_trouble_has_its_meaning(vt: Running, lists: ListsControl, kind: str, error: type[Exception]) -> None:
    """Also in the middle of a walk: the page before it is whole."""
    lists.add(HOURS_AGO, count=9, spacing=1)
    lists.set_faults({"kind": kind, "after": 1, "times": None})
    first = pages(vt).page(question(limit=4))
    with pytest.raises(error):
        pages(vt).page(question(limit=4, cursor=first.cursor))


def test_a_walk_outlives_a_short_quota_pause(vt: Running, lists: ListsControl) -> None:
    """One 429 is retried within the call."""
    lists.add(HOURS_AGO, count=9, spacing=1)
    lists.set_faults({"kind": "rate_limited", "after": 1})
    assert len(walk(vt, question(limit=4))) == 9
    assert lists.requests() == {200: 3, 429: 1}


def test_vulnerabilities_are_a_list_like_any_other(vt: Running) -> None:
    """Relative dates, ascending, and a modified one is there once, at its latest modification."""
    stream = find_stream("vulnerabilities")
    text = stream.filter_from(NOW - timedelta(hours=20))
    found = walk(vt, Question(stream.path, text, stream.order, 40))
    assert len(found) > 100
    dates = [stream.date_of(item) for item in found]
    assert None not in dates
    assert dates == sorted(dates, key=str)
    assert len({item["id"] for item in found}) == len(found)
    relative = walk(vt, Question(stream.path, f"{stream.filter} last_modification_date:60m+", stream.order, 40))
    assert 0 < len(relative) <= 13


def test_simulated_items_have_the_shape_of_real_ones(vt: Running) -> None:
    """Every field of a real item's context is there, with a value of the same kind."""
    if not SAMPLES.is_dir():
        pytest.skip("the real pages are not beside this checkout")
    simulated: list[Any] = [item["context_attributes"] for item in walk(vt, question("date:4h+"))]
    for file in sorted(SAMPLES.glob("*2*.json")) + sorted(SAMPLES.glob("*hunting*.json")):
        for real in json.loads(file.read_bytes())["data"]:
            kinds = {name: type(value) for name, value in real["context_attributes"].items()}
            assert kinds in [{name: type(value) for name, value in one.items()} for one in simulated]
    assert any(len(one["sources"]) > 1 for one in simulated)
