"""VirusTotal's own client (vt-py on the package index) works against the simulator as against the source."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
import vt as vt_py

from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.virustotal.streams.client import ListsControl
from tests.support.simulator import Running

# vt-py asks for the time and for an event loop in ways that Python 3.12 warns of.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:vt", "ignore:There is no current event loop")

MINUTE = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=90)
NOW = datetime.now(UTC).replace(microsecond=0)
HOURS_AGO = NOW - timedelta(hours=3)
# By vt-py's names: it has no type for the feeds of domains and IP addresses.
FEEDS = {"files": "files", "urls": "urls", "file-behaviours": "file_behaviours"}


@pytest.fixture(autouse=True)
def _event_loop() -> Iterator[None]:
    """Give a test an event loop, and close it: vt-py leaves the one that it makes open."""
    with closing(asyncio.new_event_loop()) as loop:
        asyncio.set_event_loop(loop)
        yield
        asyncio.set_event_loop(None)


@pytest.fixture
def client(vt: Running) -> Iterator[Any]:
    """Return vt-py's client of the simulator."""
    with vt_py.Client(DEFAULT_KEY, host=vt.url, timeout=120) as made:
        yield made


def truth(vt: Running, feed: str, minutes: int) -> list[str]:
    """Return the ids of the lines of some minutes, in order."""
    texts = [vt.control.truth(feed, MINUTE + timedelta(minutes=back)) for back in range(minutes)]
    return [json.loads(line)["id"] for text in texts for line in text.splitlines()]


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_is_read_over_several_minutes(vt: Running, client: Any, name: str) -> None:
    """Every object of every minute is read in the order of the lines, starting at a cursor."""
    expected = truth(vt, FEEDS[name], 3)
    feed = client.feed(vt_py.FeedType(name), cursor=package_name(MINUTE))
    found = list(islice(feed, len(expected)))
    assert [one.id for one in found] == expected
    assert all(one.type for one in found)


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_goes_on_where_its_cursor_says(vt: Running, client: Any, name: str) -> None:
    """A new iterator continues from a cursor in the middle of a package."""
    expected = truth(vt, FEEDS[name], 2)
    first = client.feed(vt_py.FeedType(name), cursor=package_name(MINUTE))
    begin = [one.id for one in islice(first, 4)]
    assert first.cursor == f"{package_name(MINUTE)}-4"
    second = client.feed(vt_py.FeedType(name), cursor=first.cursor)
    assert begin + [one.id for one in islice(second, len(expected) - 4)] == expected


def test_a_feed_begins_by_itself(client: Any) -> None:
    """Without a cursor vt-py begins at 70 minutes ago, which is published."""
    assert next(client.feed(vt_py.FeedType.FILES)).type == "file"


def test_the_key_that_follows_a_redirect_is_seen_and_not_refused(vt: Running, client: Any) -> None:
    """vt-py sends its key to the redirect's host too, which ignores it unless a test asks for a refusal."""
    assert next(client.feed(vt_py.FeedType.URLS, cursor=package_name(MINUTE))).type == "url"
    assert vt.control.stats().keys_at_download_port == 1
    vt.control.set_modes(refuse_keys=True)
    with pytest.raises(vt_py.APIError, match="must not be sent to this host"):
        next(client.feed(vt_py.FeedType.URLS, cursor=package_name(MINUTE)))


def test_one_missing_minute_is_passed_over_and_two_are_an_error(vt: Running, client: Any) -> None:
    """vt-py skips one missing minute, by the code of the 404, and raises on two in a row."""
    missing = [{"kind": "missing", "minute": package_name(MINUTE + timedelta(minutes=back))} for back in range(2)]
    vt.control.set_faults(missing[0])
    feed = client.feed(vt_py.FeedType.FILES, cursor=package_name(MINUTE))
    assert next(feed).id == truth(vt, "files", 2)[6]
    vt.control.set_faults(*missing)
    with pytest.raises(vt_py.APIError) as caught:
        next(client.feed(vt_py.FeedType.FILES, cursor=package_name(MINUTE)))
    assert caught.value.code == "NotFoundError"


@pytest.mark.parametrize("kind", ["multi_stream", "no_final_newline", "redirect_same_host", "direct"])
def test_odd_but_right_packages_are_read(vt: Running, client: Any, kind: str) -> None:
    """vt-py reads packages and addresses that are unusual but valid."""
    vt.control.set_faults({"kind": kind})
    feed = client.feed(vt_py.FeedType.FILES, cursor=package_name(MINUTE))
    assert [one.id for one in islice(feed, 6)] == truth(vt, "files", 1)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"kind": "unauthorized"}, "WrongCredentialsError"),
        ({"kind": "forbidden"}, "ForbiddenError"),
        ({"kind": "bad_request"}, "InvalidArgumentError"),
        ({"kind": "rate_limited"}, "QuotaExceededError"),
        ({"kind": "not_available_yet", "code": "NotAvailableYet"}, "NotAvailableYet"),
        ({"kind": "not_available_yet"}, "NotAvailableYetError"),
        ({"kind": "no_message", "status": 403, "code": "ForbiddenError"}, "ForbiddenError"),
        ({"kind": "rate_limited_html"}, "ClientError"),
        ({"kind": "proxy", "status": 404}, "ClientError"),
        ({"kind": "storage_error"}, "ClientError"),
        ({"kind": "unavailable"}, "ServerError"),
        ({"kind": "not_json_error"}, "ServerError"),
    ],
)
def test_errors_have_the_codes_that_the_client_reads(
    vt: Running, client: Any, rule: dict[str, object], code: str
) -> None:
    """A JSON error raises with its own code; an HTML page in its place with vt-py's."""
    vt.control.set_faults(rule)
    with pytest.raises(vt_py.APIError) as caught:
        client.get_json(f"/feeds/files/{package_name(MINUTE)}")
    assert caught.value.code == code


def test_a_wrong_key_is_told(vt: Running) -> None:
    """A wrong key raises with the API's code and message."""
    with vt_py.Client("another", host=vt.url) as stranger, pytest.raises(vt_py.APIError) as caught:
        list(stranger.iterator("/ioc_stream"))
    assert (caught.value.code, caught.value.message) == ("WrongCredentialsError", "Wrong API key")


def test_a_minute_that_is_not_out_says_so(client: Any) -> None:
    """vt-py waits a minute on a quota error, and raises on every other."""
    with pytest.raises(vt_py.APIError) as caught:
        client.get_json(f"/feeds/files/{package_name(MINUTE + timedelta(minutes=80))}")
    assert caught.value.code == "NotAvailableYet"


@pytest.mark.parametrize("order", ["date+", "date-"])
def test_the_notifications_are_iterated_page_by_page(lists: ListsControl, client: Any, order: str) -> None:
    """vt-py reads every notification once, in order, with its context, under a filter in its own notation."""
    ids = lists.add(HOURS_AGO, count=25, spacing=1.0)
    params = {"filter": f"date:{HOURS_AGO:%Y-%m-%dT%H:%M:%S}+", "order": order}
    found = list(client.iterator("/ioc_stream", params=params, batch_size=10))
    expected = ids if order == "date+" else ids[::-1]
    assert [one.context_attributes["notification_id"] for one in found] == expected
    assert {one.type for one in found} == {"file", "domain", "url", "ip_address"}


def test_an_iterator_goes_on_where_its_cursor_says(lists: ListsControl, client: Any) -> None:
    """vt-py adds the position within the page to the server's cursor, and continues from there."""
    ids = lists.add(HOURS_AGO, count=25, spacing=1.0)
    params = {"filter": f"date:{HOURS_AGO:%Y-%m-%dT%H:%M:%S}+", "order": "date+"}
    first = client.iterator("/ioc_stream", params=params, batch_size=10)
    begin = [one.context_attributes["notification_id"] for one in islice(first, 10)]
    second = client.iterator("/ioc_stream", params=params, batch_size=10, cursor=first.cursor)
    rest = [one.context_attributes["notification_id"] for one in second]
    assert begin + rest == ids
    assert client.iterator("/ioc_stream", params=params).meta["count"] == 25


def test_the_collections_are_iterated(client: Any) -> None:
    """vt-py lists vulnerabilities by their last modification, and turns the attributes into dates."""
    params = {"filter": "collection_type:vulnerability last_modification_date:1d+", "order": "last_modification_date+"}
    found = list(client.iterator("/collections", params=params, batch_size=40, limit=90))
    assert len(found) == 90
    dates = [one.last_modification_date for one in found]
    assert dates == sorted(dates)
    assert {one.type for one in found} == {"collection"}


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"filter": "origin:notHunting"}, 'origin "notHunting" is not valid. Valid origins are: hunting,subscriptions'),
        ({"order": "size+"}, 'order "size+" is not valid'),
    ],
)
def test_a_wrong_question_is_told_in_the_words_of_the_api(client: Any, params: dict[str, str], text: str) -> None:
    """An invalid request raises BadRequestError before the first item."""
    with pytest.raises(vt_py.APIError) as caught:
        list(client.iterator("/ioc_stream", params=params))
    assert caught.value.code == "BadRequestError"
    assert text in caught.value.message
