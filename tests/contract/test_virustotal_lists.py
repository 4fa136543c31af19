"""Pages of the simulated lists, read by the real client: filters, orders, cursors and errors."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.virustotal.streams.client import ListsControl
from services.secops_forwarder.poll.page_buffer import NewItem
from services.secops_forwarder.poll.relations import Relations
from shared.contracts.outcomes import TransientError
from shared.streams.definition import JsonObject, find_stream, known_streams, look_up
from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.errors import KeyRefused, NotLicensed, RequestRefused
from shared.virustotal.list_reader import ListQuery, ListReader
from tests.support import optional_tools
from tests.support.paths import SAMPLES
from tests.support.simulator import KEY, Running
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.usefixtures("two_attempts")

STREAM = find_stream("ioc_stream")
NOW = datetime.now(UTC).replace(microsecond=0)
HOURS_AGO = NOW - timedelta(hours=3)


def pages(vt: Running) -> ListReader:
    """Return the real client of the simulator."""
    return ListReader(VirusTotal(api_url=f"{vt.url}/api/v3", key=FixedKey(SecretStr(DEFAULT_KEY))))


def question(text: str = "", order: str = "date+", limit: int = 40, cursor: str | None = None) -> ListQuery:
    """Return a request to ioc_stream."""
    return ListQuery("/ioc_stream", text, order, limit, cursor)


def collect(vt: Running, first: ListQuery) -> list[JsonObject]:
    """Return every item of all pages."""
    items: list[JsonObject] = []
    asked = first
    while True:
        page = pages(vt).page(asked)
        items += [json.loads(item.text) for item in page.items]
        if page.cursor is None:
            return items
        asked = ListQuery(asked.path, asked.filter, asked.order, asked.limit, page.cursor)


def ids(items: list[JsonObject]) -> list[str | None]:
    """Return the notifications' ids."""
    return [STREAM.key_of(item) for item in items]


def test_a_walk_gives_everything_once_in_either_order(vt: Running, lists: ListsControl) -> None:
    """Equal dates at page edges are included; each order reverses the other, except among equal dates."""
    added = lists.add(HOURS_AGO, count=23, spacing=0.4)
    up, down = collect(vt, question(limit=4)), collect(vt, question(order="date-", limit=4))
    assert sorted(ids(up), key=str) == sorted(ids(down), key=str) == sorted(added)
    dates = [STREAM.date_of(item) for item in up]
    assert dates == sorted(dates, key=str)
    assert [STREAM.date_of(item) for item in down] == dates[::-1]
    assert len(set(dates)) < len(dates)


def test_arrivals_do_not_shift_pages(vt: Running, lists: ListsControl) -> None:
    """Newer items appear on a later page; a late item with an older date does not appear."""
    lists.add(HOURS_AGO, count=6, spacing=60)
    first = pages(vt).page(question(limit=4))
    [late] = lists.add(HOURS_AGO - timedelta(minutes=1))
    [newer] = lists.add(NOW - timedelta(minutes=1))
    rest = collect(vt, question(limit=4, cursor=first.cursor))
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
    """A filter's terms are joined by AND."""
    lists.add(HOURS_AGO, count=40, spacing=1)
    chosen = collect(vt, question(text))
    assert chosen
    assert ids(chosen) == ids([item for item in collect(vt, question()) if fits(item)])


@pytest.mark.parametrize("form", ["{:%Y-%m-%dT%H:%M:%S}", "{0}"])
def test_dates_bound_both_sides(vt: Running, lists: ListsControl, form: str) -> None:
    """A date filter includes both ends, as dates or as epoch seconds."""
    added = lists.add(HOURS_AGO, count=10, spacing=60)
    begin, end = HOURS_AGO + timedelta(minutes=2), HOURS_AGO + timedelta(minutes=5)
    written = [form.format(moment if ":" in form else int(moment.timestamp())) for moment in (begin, end)]
    assert ids(collect(vt, question(f"date:{written[0]}+ date:{written[1]}-"))) == added[2:6]
    assert len(collect(vt, question("date:4h+"))) == 10
    assert not collect(vt, question("date:1h+"))


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
def test_a_wrong_question_is_refused(vt: Running, asked: ListQuery, reason: str) -> None:
    """An invalid request gets 400 with the source's message, and is not retried."""
    with pytest.raises(RequestRefused) as refused:
        pages(vt).page(asked)
    assert reason in str(refused.value)


def test_an_unencoded_plus_arrives_as_a_space(vt: Running) -> None:
    """An unencoded plus arrives as a space, which is why the predecessor could only read newest first."""
    answer = requests.get(f"{vt.url}/api/v3/ioc_stream?order=date+", headers=KEY, timeout=PATIENCE)
    assert answer.status_code == 400


def test_a_cursor_belongs_to_its_question_and_may_expire(vt: Running, lists: ListsControl) -> None:
    """A cursor is refused with another filter, and after it has expired."""
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
    """Notifications older than a week are gone, even when they are requested."""
    [old] = lists.add(NOW - timedelta(days=7, minutes=1))
    [young] = lists.add(NOW - timedelta(days=6, hours=23))
    found = ids(collect(vt, question()))
    assert (old in found, young in found) == (False, True)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limited", TransientError),
        ("rate_limited_html", TransientError),
        ("unavailable", TransientError),
        ("not_json", TransientError),
        ("no_data", TransientError),
        ("unauthorized", KeyRefused),
        ("forbidden", NotLicensed),
    ],
)
def test_each_trouble_has_its_meaning(vt: Running, lists: ListsControl, kind: str, error: type[Exception]) -> None:
    """Each error raises its own exception, also in the middle of a walk; the page before it is complete."""
    lists.add(HOURS_AGO, count=9, spacing=1)
    lists.set_faults({"kind": kind, "after": 1, "times": None})
    first = pages(vt).page(question(limit=4))
    with pytest.raises(error):
        pages(vt).page(question(limit=4, cursor=first.cursor))


def test_a_walk_outlives_a_short_quota_pause(vt: Running, lists: ListsControl) -> None:
    """One 429 is retried within the call."""
    lists.add(HOURS_AGO, count=9, spacing=1)
    lists.set_faults({"kind": "rate_limited", "after": 1})
    assert len(collect(vt, question(limit=4))) == 9
    assert lists.requests() == {200: 3, 429: 1}


@pytest.mark.parametrize("name", [name for name, stream in known_streams().items() if stream.path == "/collections"])
def test_collections_are_a_list_like_any_other(vt: Running, name: str) -> None:
    """Vulnerabilities are listed ascending, and a modified one appears once, at its latest modification."""
    stream = find_stream(name)
    found = collect(vt, ListQuery(stream.path, stream.filter_from(NOW - timedelta(hours=20)), stream.order, 40))
    assert {f"collection_type:{look_up(item, 'attributes.collection_type')}" for item in found} == {stream.filter}
    dates = [stream.date_of(item) for item in found]
    assert None not in dates
    assert dates == sorted(dates, key=str)
    assert len({item["id"] for item in found}) == len(found) == len({stream.key_of(item) for item in found})


def test_collections_are_asked_for_by_relative_dates_and_by_known_types(vt: Running) -> None:
    """Collections are filtered by relative dates and by known types; without a type all are listed."""
    relative = "collection_type:vulnerability last_modification_date:60m+"
    assert 0 < len(collect(vt, ListQuery("/collections", relative, "last_modification_date+", 40))) <= 13
    every = collect(vt, ListQuery("/collections", "last_modification_date:3h+", "last_modification_date+", 40))
    assert len({look_up(item, "attributes.collection_type") for item in every}) > 4
    with pytest.raises(RequestRefused, match='collection_type "actor" is not valid'):
        collect(vt, ListQuery("/collections", "collection_type:actor", "last_modification_date+", 40))


def test_simulated_items_have_the_shape_of_real_ones(vt: Running) -> None:
    """Every field of a real item's context is there, with a value of the same kind."""
    if not (SAMPLES / "ioc_stream").is_dir():
        pytest.skip(optional_tools.SAMPLES.reason)
    simulated: list[Any] = [item["context_attributes"] for item in collect(vt, question("date:4h+"))]
    pages = SAMPLES / "ioc_stream"
    for file in sorted(pages.glob("*2*.json")) + sorted(pages.glob("*hunting*.json")):
        for real in json.loads(file.read_bytes())["data"]:
            kinds = {name: type(value) for name, value in real["context_attributes"].items()}
            assert kinds in [{name: type(value) for name, value in one.items()} for one in simulated]
    assert any(len(one["sources"]) > 1 for one in simulated)


def test_a_page_under_a_coding_that_nobody_asked_for_is_read(vt: Running, lists: ListsControl) -> None:
    """A page with a content coding that was not requested equals the page without it."""
    lists.add(HOURS_AGO, count=50, spacing=1)
    plain = collect(vt, question())
    lists.set_faults({"kind": "content_encoding", "times": None})
    assert collect(vt, question()) == plain


@pytest.mark.parametrize("offset", [-1200, 0, 1200])
def test_a_page_has_the_time_of_the_source(vt: Running, lists: ListsControl, offset: int) -> None:
    """The simulator's clock can be moved, and its answers are dated by it."""
    lists.add(HOURS_AGO)
    vt.control.move_clock(offset)
    before = vt.control.now().replace(microsecond=0)
    answered = pages(vt).page(question("date:2d-")).answered
    assert answered
    assert before <= answered <= vt.control.now()


def test_related_objects_are_bounded(vt: Running) -> None:
    """Types and ids alone, at most as many as are asked for."""
    stream = find_stream("campaigns")
    [item, *_] = pages(vt).page(ListQuery(stream.path, stream.filter_from(HOURS_AGO), stream.order, 1, None)).items
    new = NewItem("key", None, item.text, None)
    found = json.loads(Relations(pages(vt), ("files", "reports"), limit=7).add_to(stream, new).text)
    relations = found["relationships"]
    assert set(relations) == {"files", "reports"}
    assert all(set(one) == {"type", "id"} for relation in relations.values() for one in relation["data"])
    assert max(len(relation["data"]) for relation in relations.values()) <= 7
