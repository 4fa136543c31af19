"""The request target that a redirect's host receives: the same bytes over every kind of connection."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.virustotal.client import FixedKey, VirusTotal
from tests.support.raw_http import RawServer, raw_server, response, tunnels, write_certificate

MINUTE = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
API_PATH = "/api/v3/feeds/domains/202611211000"
TARGETS = [
    "/pkg/a%2Eb%7Ec?sig=x%2db%2f%7E",
    "/pkg/a~b?X-Goog-Signature=%7e%41+%20'()*!,;:@$&=&x",
    "//a//b/../c/./d?e=/../f",
    '/a?b=[c]|d^e`f{g}<h>"i\\j',
    "/a%zz%?100%",
    "/a?",
]


def leading_to(location: Callable[[], str]) -> Callable[[str], bytes]:
    """Return responses: the API's path redirects, every other path has a body."""
    return lambda line: response("302 Found", Location=location()) if API_PATH in line else response("200 OK", b"body")


def fetch(api: RawServer) -> bytes:
    """Read a package."""
    source = VirusTotal(api_url=f"{api.url}/api/v3", key=FixedKey(SecretStr("k3y")))
    with source.package("domains", MINUTE) as package:
        return b"".join(package.chunks())


@pytest.mark.parametrize("target", TARGETS)
def test_an_absolute_address_is_asked_for_as_it_is_written(target: str) -> None:
    """Percent escapes, dots and slashes of an absolute address reach the host unchanged."""
    with raw_server(lambda _: response("200 OK", b"body")) as storage:
        with raw_server(leading_to(lambda: storage.url + target)) as api:
            assert fetch(api) == b"body"
        assert storage.lines == [f"GET {target} HTTP/1.1"]
        assert b"k3y" not in storage.requests[0]


@pytest.mark.parametrize("target", [target for target in TARGETS if not target.startswith("//")])
def test_an_address_on_the_same_host_is_asked_for_as_it_is_written(target: str) -> None:
    """An address relative to the host is requested as written, and without the key."""
    with raw_server(leading_to(lambda: target)) as api:
        assert fetch(api) == b"body"
        assert api.lines[1] == f"GET {target} HTTP/1.1"
        assert b"k3y" not in api.requests[1]


def test_a_fragment_is_not_asked_for() -> None:
    """A fragment is not sent."""
    with raw_server(leading_to(lambda: "/a%7e?b#c%7e")) as api:
        assert fetch(api) == b"body"
        assert api.lines[1] == "GET /a%7e?b HTTP/1.1"


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a certificate that clients trust."""
    file = write_certificate(tmp_path / "certificate.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return file


def test_tls_changes_nothing(certificate: Path) -> None:
    """Over TLS the target is the same."""
    with raw_server(leading_to(lambda: TARGETS[0]), certificate) as api:
        assert fetch(api) == b"body"
        assert api.lines[1] == f"GET {TARGETS[0]} HTTP/1.1"


def test_a_proxys_tunnel_changes_nothing(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a proxy's tunnel the target is the same."""
    with raw_server(leading_to(lambda: TARGETS[0]), certificate) as api, tunnels() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert fetch(api) == b"body"
        assert api.lines[1] == f"GET {TARGETS[0]} HTTP/1.1"
        assert {line.split()[0] for line in proxy.lines} == {"CONNECT"}


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=60))
def test_every_visible_byte_arrives(target: str) -> None:
    """Every visible byte of a path and query arrives."""
    with raw_server(lambda _: response("200 OK", b"body")) as storage:
        with raw_server(leading_to(lambda: f"{storage.url}/{target}")) as api:
            assert fetch(api) == b"body"
        assert storage.lines == [f"GET /{target} HTTP/1.1"]
