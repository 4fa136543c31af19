"""The allowed targets of VirusTotal's redirects, and the address that is requested."""

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.outcomes import TransientError
from shared.virustotal.client import _Request
from shared.virustotal.request_targets import request_target, resolve

API = "https://www.virustotal.com/api/v3/feeds/domains/202611211410"
VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


def target(api: str, location: str) -> str:
    """Return a redirect's target."""
    answer = requests.Response()
    answer.headers["Location"] = location
    return _Request(requests.Session(), api, "package", {})._target(api, answer)


@pytest.mark.parametrize(
    "location", ["http://storage.example/package", "ftp://storage.example/package", "file:///etc/passwd"]
)
def test_a_redirect_never_leaves_tls(location: str) -> None:
    """A package fetched without TLS could come from anyone, or be the metadata server's response."""
    with pytest.raises(TransientError, match="refused a redirect"):
        target(API, location)


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("https://storage.example/package?x=1", "https://storage.example/package?x=1"),
        ("//storage.example/package", "https://storage.example/package"),
        ("/package", "https://www.virustotal.com/package"),
        ("other?x=%2f", "https://www.virustotal.com/api/v3/feeds/domains/other?x=%2f"),
        ("?x=1", f"{API}?x=1"),
        ("/pkg/a%2Eb%7Ec?sig=x%2db%2f%7E", "https://www.virustotal.com/pkg/a%2Eb%7Ec?sig=x%2db%2f%7E"),
        ("/a b", "https://www.virustotal.com/a%20b"),
        # A header's bytes read as Latin-1.
        ("/\u00c3\u00a9", "https://www.virustotal.com/%C3%A9"),
    ],
)
def test_a_redirect_may_lead_to_another_host_or_path(location: str, address: str) -> None:
    """The source may use any host and any spelling."""
    assert target(API, location) == address


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://h.example", "/"),
        ("https://h.example?x=1", "/?x=1"),
        ("https://h.example/a/../b//c?", "/a/../b//c?"),
        ("https://user@h.example:8443/a?b=/c?d#part", "/a?b=/c?d"),
    ],
)
def test_a_request_line_has_path_and_query_as_written(url: str, written: str) -> None:
    """The request line has no fragment and is never empty."""
    assert request_target(url) == written


@given(st.text(VISIBLE, max_size=40).filter(lambda text: "#" not in text and not text.startswith("/")))
def test_no_visible_byte_of_a_target_changes(rest: str) -> None:
    """Absolute or relative, the part after the host is requested unchanged."""
    for location in (f"https://h.example/{rest}", f"/{rest}"):
        assert request_target(resolve(API, location)) == f"/{rest}"
