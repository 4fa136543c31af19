"""The forwarder's settings, under the names of the script that it replaces, and the declared streams."""

from pathlib import Path

import pytest

from shared.outcomes import Misconfigured
from shared.secops.build import build_secops
from shared.secops.settings import SecOpsSettings
from shared.settings import read_settings
from shared.streams import find_stream, known_streams, read_streams
from shared.virustotal.pages import Question

NAMES = (
    *("STREAMS", "VT_FILTERS", "VT_ORDER", "VT_DATE_FILTER", "VT_LIMIT", "VT_API_KEY", "VT_API_KEY_SECRET"),
    *("CHRONICLE_CUSTOMER_ID", "CHRONICLE_REGION", "CHRONICLE_HOST", "CHRONICLE_LOG_TYPE", "CHRONICLE_API_VERSION"),
    *("SECOPS_API_URL", "SECOPS_CLEAN", "SECOPS_MAX_REQUEST_BYTES", "NAMESPACE", "CHRONICLE_FORWARDER_ID"),
)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Return an environment in which the forwarder is on."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"GCP_PROJECT": "p", "LANDING_BUCKET": "b", "VT_API_KEY": "k"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CHRONICLE_CUSTOMER_ID", "0a1b")
    return monkeypatch


def test_the_default_is_the_ioc_stream_alone(env: pytest.MonkeyPatch) -> None:
    """Forty a page, ascending, a day back."""
    del env
    settings = read_settings(SecOpsSettings)
    [stream] = settings.streams()
    assert (stream.name, stream.order, stream.filter, stream.look_back_minutes) == ("ioc_stream", "date+", "", 1440)
    assert (settings.page_size, settings.clean, settings.max_request_bytes) == (40, True, 3_900_000)


def test_without_a_customer_id_the_forwarder_is_off(env: pytest.MonkeyPatch) -> None:
    """And then it needs no API key either."""
    env.delenv("CHRONICLE_CUSTOMER_ID")
    env.delenv("VT_API_KEY")
    assert not read_settings(SecOpsSettings).on


def test_the_environment_changes_the_ioc_stream_and_no_other(env: pytest.MonkeyPatch) -> None:
    """Filter, look-back, order and log type under the names that the predecessor has."""
    env.setenv("STREAMS", "ioc_stream, vulnerabilities")
    env.setenv("VT_FILTERS", "origin:hunting entity_type:file")
    env.setenv("VT_DATE_FILTER", "-90m")
    env.setenv("CHRONICLE_LOG_TYPE", "OURS")
    stream, other = read_settings(SecOpsSettings).streams()
    assert (stream.filter, stream.look_back_minutes, stream.log_type) == ("origin:hunting entity_type:file", 90, "OURS")
    assert other == find_stream("vulnerabilities")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("VT_ORDER", "date-", r"VT_ORDER='date-'.*is not ascending; write it with a plus"),
        ("VT_FILTERS", "origin:hunting date:3d+", r"'date:3d\+': where to begin is the forwarder's to say"),
        ("VT_DATE_FILTER", "yesterday", r"VT_DATE_FILTER: 'yesterday' is no look-back; write it as -1d"),
        ("VT_DATE_FILTER", "-8d", r"VT_DATE_FILTER=11520"),
        ("VT_LIMIT", "41", "VT_LIMIT: .*less than or equal to 40"),
        ("VT_API_KEY", "", "no API key: set VT_API_KEY"),
        ("STREAMS", "ioc_streams", "unknown stream 'ioc_streams'; known streams: ioc_stream, vulnerabilities"),
        ("CHRONICLE_CUSTOMER_ID", "../x", "CHRONICLE_CUSTOMER_ID"),
        ("SECOPS_MAX_REQUEST_BYTES", "10", "SECOPS_MAX_REQUEST_BYTES"),
    ],
)
def test_a_wrong_setting_is_named(env: pytest.MonkeyPatch, name: str, value: str, reason: str) -> None:
    """The text says which variable, which value, and what to write instead."""
    env.setenv(name, value)
    with pytest.raises(Misconfigured, match=reason):
        read_settings(SecOpsSettings)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (
            {"CHRONICLE_REGION": "eu"},
            "https://eu-chronicle.googleapis.com/v1beta/projects/p/locations/eu/instances/0a1b/logTypes/T/logs:import",
        ),
        (
            {"CHRONICLE_HOST": "https://chronicle.{region}.rep.googleapis.com", "CHRONICLE_API_VERSION": "v1alpha"},
            "https://chronicle.us.rep.googleapis.com/v1alpha/projects/p/locations/us/instances/0a1b/logTypes/T/logs:import",
        ),
        (
            {"SECOPS_API_URL": "http://127.0.0.1:9"},
            "http://127.0.0.1:9/v1beta/projects/p/locations/us/instances/0a1b/logTypes/T/logs:import",
        ),
    ],
)
def test_the_address_is_made_of_settings(env: pytest.MonkeyPatch, settings: dict[str, str], url: str) -> None:
    """Both styles of host, any version, and a server of one's own."""
    for name, value in settings.items():
        env.setenv(name, value)
    assert build_secops(read_settings(SecOpsSettings)).instance.url("T") == url


def test_a_question_is_encoded() -> None:
    """A raw plus sign would arrive as a space, and the order would be refused."""
    question = Question("/ioc_stream", "origin:hunting date:2026-11-21T11:30:00+", "date+", 40, "a/b=")
    assert question.target() == (
        "/ioc_stream?limit=40&filter=origin%3Ahunting%20date%3A2026-11-21T11%3A30%3A00%2B&order=date%2B&cursor=a%2Fb%3D"
    )


def test_every_declared_stream_has_a_log_type_of_its_own() -> None:
    """So that a parser meets one kind of log only."""
    types = [stream.log_type for stream in known_streams().values()]
    assert len(types) == len(set(types)) >= 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: {path: /x}", r"f.yaml: .*missing"),
        ("a: [", r"f.yaml: while parsing"),
        ("[]", r"f.yaml: .*dictionary"),
    ],
)
def test_a_wrong_declaration_is_named(text: str, reason: str) -> None:
    """The file, the place and the reason."""
    with pytest.raises(Misconfigured, match=reason):
        read_streams(text, "f.yaml")
