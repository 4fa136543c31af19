"""`gti-mesh up` checks whether the key may read the feeds before any minute is requested."""

from collections.abc import Iterator
from io import StringIO

import pytest
import stamina
from rich.console import Console

from infra.local.contents import Contents, Source
from infra.local.up import check_key
from infra.local.virustotal.simulator import DEFAULT_KEY
from shared.contracts.outcomes import Misconfigured
from tests.support.simulator import Running


@pytest.fixture(autouse=True)
def _quick_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


def printed(url: str, key: str = DEFAULT_KEY, path: str = "/api/v3") -> str:
    """Return the message of `gti-mesh up` about a key for three feeds."""
    console = Console(file=StringIO(), width=400)
    api_url = f"{url}{path}"
    contents = Contents(source=Source(api_url=api_url), feeds=("domains", "files", "urls"), kept=True)
    check_key({"VT_API_KEY": key, "VT_API_URL": api_url}, contents, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_good_key_may_read_every_feed(vt: Running) -> None:
    """A valid key is accepted also when the newest minute is late or missing."""
    assert printed(vt.url) == "the key may read domains, files, urls\n"
    vt.control.set_faults({"kind": "missing", "feed": "files"})
    assert printed(vt.url) == "the key may read domains, files, urls\n"


def test_feeds_without_a_licence_are_named(vt: Running) -> None:
    """Feeds without a licence are named; the others are read."""
    vt.control.set_faults({"kind": "forbidden", "feed": "files"})
    assert (
        printed(vt.url)
        == "the key has no licence for files: its minutes will not arrive\nthe key may read domains, urls\n"
    )


def test_a_key_that_is_refused_stops_the_start(vt: Running) -> None:
    """A wrong key stops the start; the message names the setting and not the key."""
    with pytest.raises(Misconfigured, match="check VT_API_KEY") as caught:
        printed(vt.url, "a-wrong-key")
    assert "a-wrong-key" not in str(caught.value)


def test_a_source_that_cannot_be_asked_stops_nothing(vt: Running) -> None:
    """An unreachable source does not stop the start, since it may answer later."""
    vt.control.set_faults({"kind": "unavailable"})
    assert printed(vt.url).startswith("the key cannot be checked with VirusTotal: package domains")
    assert printed("http://127.0.0.1:9").startswith("the key cannot be checked with VirusTotal: ")


def test_it_costs_one_request_a_feed(vt: Running) -> None:
    """The check costs one request per feed."""
    printed(vt.url)
    assert {seen.feed: seen.count for seen in vt.control.stats().requests} == {"domains": 1, "files": 1, "urls": 1}


@pytest.mark.parametrize(
    ("key", "path", "reason"),
    [
        ("ab\u200bcd", "/api/v3", "VT_API_KEY: character 3 of 5 is U.200B ZERO WIDTH SPACE"),
        ("\u201cabcd\u201d", "/api/v3", "VT_API_KEY: character 1 of 6 is U.201C LEFT DOUBLE QUOTATION MARK"),
        (DEFAULT_KEY, "", "VT_API_URL: the address has no path"),
    ],
)
def test_what_no_service_starts_with_is_refused_before_a_request(vt: Running, key: str, path: str, reason: str) -> None:
    """A key or an address with a slip is named at once, and the source is not asked."""
    with pytest.raises(Misconfigured, match=reason):
        printed(vt.url, key, path)
    assert not vt.control.stats().requests
