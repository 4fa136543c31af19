"""Where a redirect of VirusTotal may lead."""

import pytest
import requests

from shared.virustotal.client import _Request
from shared.virustotal.errors import SourceTrouble


def target(api: str, location: str) -> str:
    """Return where a redirect leads."""
    answer = requests.Response()
    answer.headers["Location"] = location
    return _Request(requests.Session(), api, "package", {})._target(api, answer)


@pytest.mark.parametrize(
    "location", ["http://storage.example/package", "ftp://storage.example/package", "file:///etc/passwd"]
)
def test_a_redirect_never_leaves_tls(location: str) -> None:
    """A package, or an answer of the metadata server, fetched in the clear could be anybody's."""
    with pytest.raises(SourceTrouble, match="refused a redirect"):
        target("https://www.virustotal.com/api/v3/feeds/domains/202611211410", location)


def test_a_redirect_may_lead_to_another_host_or_path() -> None:
    """Where packages lie is the source's affair."""
    api = "https://www.virustotal.com/api/v3/feeds/domains/202611211410"
    assert target(api, "https://storage.example/package?x=1") == "https://storage.example/package?x=1"
    assert target(api, "/package") == "https://www.virustotal.com/package"
