"""Feeds as data: what is there is complete, and a wrong definition says where and why."""

from typing import Any

import pytest
import yaml

from shared.feeds.definition import Feed, find_feed, known_feeds, read_feed
from shared.outcomes import Misconfigured

COUNTS = {"malicious", "suspicious", "harmless", "undetected", "reputation", "gti_verdict", "gti_severity", "gti_score"}
FEEDS = known_feeds().values()


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


def test_there_are_five_feeds() -> None:
    """Each under the path that VirusTotal has for it."""
    assert {feed.name: feed.path for feed in FEEDS} == {
        "domains": "domains",
        "files": "files",
        "urls": "urls",
        "ip_addresses": "ip_addresses",
        "file_behaviours": "file-behaviours",
    }


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_verdicts_are_columns_everywhere(feed: Feed) -> None:
    """What engines and GTI say, for every kind that they judge; a sandbox has verdicts of its own."""
    names = {column.name for column in feed.headline}
    if feed.name == "file_behaviours":
        assert feed.version == ("analysis_date",)
        assert {"sandbox_name", "file_sha256", "verdicts", "tags"} <= names
    else:
        assert feed.version == ("last_analysis_date", "last_modification_date")
        assert names >= COUNTS | {"tags"}


def test_a_definition_is_read() -> None:
    """All of it, and it cannot be changed."""
    feed = read_feed(written(), "things.yaml")
    assert (feed.name, feed.headline[0].path) == ("things", "attributes.seen")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (written(headline=[column(type="DATE")]), r"things.yaml: headline.0.type: .*got 'DATE'"),
        (written(headline=[column(description="")]), r"headline.0.description: .*at least 1 character"),
        (written(headline=[column(path="attributes.a b")]), r"headline.0.path: .*got 'attributes.a b'"),
        (written(headline=[column(path="a.*")]), r"headline.0.path: .*got 'a.\*'"),
        (written(headline=[column(path="a.*.b")]), r"path 'a.\*.b' takes the least of many, so the type must be INT64"),
        (written(headline=[column(path="a'); DROP TABLE x")]), r"headline.0.path"),
        (written(headline=[column(), column()]), r"headline columns named twice: seen"),
        (written(headline=[column(), column(name="id")]), r"headline columns with a reserved name: id"),
        (written(version=["when"]), r"version columns that are no TIMESTAMP headline column: when"),
        (written(version=[]), r"version: "),
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
    """In one line, with the file, the place and the value."""
    with pytest.raises(Misconfigured, match=reason) as wrong:
        read_feed(text, "things.yaml")
    assert len(str(wrong.value).splitlines()) == 1


def test_an_unknown_feed_is_told_the_known_ones() -> None:
    """Where a name is mistyped."""
    with pytest.raises(Misconfigured, match="unknown feed 'domian'; known feeds: domains, file_behaviours, files"):
        find_feed("domian")
