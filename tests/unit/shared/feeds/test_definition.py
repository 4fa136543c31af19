"""Feeds as data: the definitions are complete, and an invalid one is reported with place and reason."""

from datetime import timedelta
from typing import Any

import pytest
import yaml

from shared.contracts.minutes import EVERY_MINUTE, ONE_HOUR, Period
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import (
    Feed,
    find_feed,
    find_package_feed,
    find_stream_feed,
    known_feeds,
    read_feed,
    read_feeds,
)
from shared.streams.definition import find_stream, known_streams

COUNTS = {"malicious", "suspicious", "harmless", "undetected", "reputation", "gti_verdict", "gti_severity", "gti_score"}
FEEDS = [feed for feed in known_feeds().values() if feed.source != "streams"]
STREAMS = [feed for feed in known_feeds().values() if feed.source == "streams"]


def written(**changes: Any) -> str:
    """Return a definition as text, with changes."""
    column = {"name": "seen", "type": "TIMESTAMP", "path": "attributes.seen", "description": "When."}
    feed = {
        "name": "things",
        "path": "things",
        "object_type": "thing",
        "licence": "a licence",
        "description": "Things.",
        "version": ["seen"],
        "headline": [column],
    }
    return yaml.safe_dump({**feed, **changes})


def column(**changes: Any) -> dict[str, Any]:
    """Return a headline column, with changes."""
    return {"name": "seen", "type": "TIMESTAMP", "path": "attributes.seen", "description": "When.", **changes}


def test_there_are_five_feeds_of_minutes_and_one_of_hours() -> None:
    """Each feed has VirusTotal's path, and says how often and how late it has a package."""
    assert {feed.name for feed in FEEDS if feed.every() != EVERY_MINUTE} == {"threat_lists"}
    assert find_feed("threat_lists").every() == Period(ONE_HOUR, timedelta(hours=2))
    assert {feed.name: feed.path for feed in FEEDS} == {
        "domains": "domains",
        "files": "files",
        "urls": "urls",
        "ip_addresses": "ip_addresses",
        "file_behaviours": "file-behaviours",
        "threat_lists": "threat_lists",
    }


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_verdicts_are_columns_everywhere(feed: Feed) -> None:
    """All types have the verdicts of engines and GTI; a sandbox has its own verdicts."""
    names = {column.name for column in feed.headline}
    if feed.name == "file_behaviours":
        assert feed.version == ("analysis_date",)
        assert {"sandbox_name", "file_sha256", "verdicts", "tags"} <= names
    elif feed.name == "threat_lists":
        assert feed.version == ("last_modification_date",)
        assert names >= COUNTS - {"reputation"} | {"threat_list", "type", "indicator", "list_cut", "tags"}
    else:
        assert feed.version == ("last_analysis_date", "last_modification_date")
        assert names >= COUNTS | {"tags"}


def test_a_definition_is_read() -> None:
    """A definition is complete and immutable."""
    feed = read_feed(written(), "things.yaml")
    assert (feed.name, feed.headline[0].path) == ("things", "attributes.seen")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (written(headline=[column(type="DATE")]), r"things.yaml: headline.0.type: .*got 'DATE'"),
        (written(headline=[column(description="")]), r"headline.0.description: .*at least 1 character"),
        (written(headline=[column(path="attributes.a b")]), r"headline.0.path: .*got 'attributes.a b'"),
        (written(headline=[column(path="a.*")]), r"headline.0.path: .*got 'a.\*'"),
        (written(headline=[column(path="a.*.b")]), r"path 'a.\*.b' takes the minimum"),
        (written(headline=[column(path="a[].b")]), r"path 'a\[\].b' takes a text of each element"),
        (written(headline=[column(path="a[]")]), r"headline.0.path: .*got 'a\[\]'"),
        (written(period="day"), r"period: .*got 'day'"),
        (written(headline=[column(path="a'); DROP TABLE x")]), r"headline.0.path"),
        (written(headline=[column(type="STRING", as_text=True)]), r"as_text says how a TIMESTAMP is written"),
        (written(headline=[column(), column()]), r"headline columns named twice: seen"),
        (written(headline=[column(), column(name="id")]), r"headline columns with a reserved name: id"),
        (written(version=["when"]), r"version columns that are not TIMESTAMP headline columns: when"),
        (written(version="seen"), r"version: "),
        (written(headline=[]), r"headline: "),
        (written(path="/feeds"), r"path: .*got '/feeds'"),
        (written(colour="red"), r"colour: Extra inputs are not permitted, got 'red'"),
        (written(licence=None), r"licence: "),
        ("name: things", r"path: missing; object_type: missing"),
        ("[1, 2]", r"things.yaml: "),
        ("a: b: c", r"things.yaml: mapping values are not allowed here .*line 1, column 5"),
    ],
)
def test_a_wrong_definition_says_where_and_why(text: str, reason: str) -> None:
    """The error is one line with the file, the place and the value."""
    with pytest.raises(Misconfigured, match=reason) as wrong:
        read_feed(text, "things.yaml")
    assert len(str(wrong.value).splitlines()) == 1


def test_every_stream_can_go_into_bigquery() -> None:
    """Each has a definition of its name."""
    assert {feed.name for feed in STREAMS} == set(known_streams())


@pytest.mark.parametrize("feed", STREAMS, ids=lambda feed: feed.name)
def test_a_stream_is_a_feed_with_the_same_keys(feed: Feed) -> None:
    """A line is identified and versioned as the log of pages does it; an hour is complete after its last poll."""
    stream = find_stream(feed.name)
    paths = {column.name: column.path for column in feed.headline}
    assert feed.identity == stream.key
    dated = tuple(paths[name] for name in feed.version)
    # Without a date of its own the version that was collected last is the newest.
    assert dated == (stream.version or (stream.date_field,)) or (stream.unversioned and not dated)
    assert feed.every() == Period(ONE_HOUR, timedelta(minutes=75), is_kept=True)


def test_a_definition_like_another_adds_columns() -> None:
    """What it says itself counts; its columns are behind those of the other."""
    more = yaml.safe_dump({"like": "things", "name": "more", "headline": [column(name="again")]})
    feeds = read_feeds({"more.yaml": more, "things.yaml": written()})
    assert [one.name for one in feeds["more"].headline] == ["seen", "again"]
    assert (feeds["more"].version, feeds["more"].path) == (("seen",), "things")
    with pytest.raises(Misconfigured, match=r"more.yaml: .*like: Extra inputs are not permitted, got 'things'"):
        read_feeds({"more.yaml": more})


def test_feeds_and_streams_have_settings_of_their_own() -> None:
    """A name in the wrong one is answered with the right one."""
    assert (find_package_feed("domains").setting, find_stream_feed("ioc_stream").setting) == (
        "FEEDS",
        "STREAMS_TO_BIGQUERY",
    )
    with pytest.raises(Misconfigured, match="'ioc_stream' is a stream: name it in STREAMS_TO_BIGQUERY, and in STREAMS"):
        find_package_feed("ioc_stream")
    with pytest.raises(Misconfigured, match=r"unknown stream 'domains'; domains is a feed: name it in FEEDS; known"):
        find_stream_feed("domains")
    with pytest.raises(Misconfigured, match="unknown feed 'domian'; known feeds: domains, file_behaviours, files, ip"):
        find_package_feed("domian")


def test_an_unknown_feed_is_told_the_known_ones() -> None:
    """The error lists the known feeds."""
    with pytest.raises(Misconfigured, match="unknown feed 'domian'; known feeds: domains, file_behaviours, files"):
        find_feed("domian")
