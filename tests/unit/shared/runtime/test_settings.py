"""Settings are read once, and an error has the name, the value and the reason."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_settings import BaseSettings
from requests import PreparedRequest

from infra.local.up import caller_settings
from services.downloader.settings import DownloaderSettings
from services.planner.settings import PlannerSettings
from services.secops_forwarder.settings import SecOpsSettings
from shared.contracts.outcomes import Misconfigured
from shared.contracts.validation_errors import describe_errors
from shared.runtime.settings import MeshSettings, VirusTotalSettings, read_settings
from shared.warehouse.settings import WarehouseSettings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GCP_PROJECT", "GCP_PROJECT_ID", "LANDING_BUCKET", "BUCKET_NAME", "FEEDS", "VT_API_KEY", "VT_API_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return an environment with the two settings without a default."""
    monkeypatch.setenv("GCP_PROJECT", "p")
    monkeypatch.setenv("LANDING_BUCKET", "b")
    return monkeypatch


def test_missing_settings_are_named() -> None:
    """Both settings without a default are reported at once."""
    with pytest.raises(Misconfigured, match=r"wrong settings:\n  GCP_PROJECT: missing\n  LANDING_BUCKET: missing"):
        read_settings(MeshSettings)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A `.env` in another encoding than UTF-8 is an error, for services and for a local mesh."""
    (tmp_path / ".env").write_bytes("GCP_PROJECT=p".encode("utf-16"))
    for read in (lambda: read_settings(MeshSettings), lambda: caller_settings({})):
        with pytest.raises(Misconfigured, match=r"\.env is not UTF-8 text: invalid start byte at byte 0"):
            read()


@pytest.mark.parametrize(
    ("kind", "name", "value", "reason"),
    [
        (MeshSettings, "GCP_PROJECT", "  ", "GCP_PROJECT: .*at least 1 character"),
        (MeshSettings, "FEEDS", "domains,domian", "unknown feed 'domian'; known feeds: .*domains"),
        (MeshSettings, "BQ_DATASET", "a-b", "BQ_DATASET: .*got 'a-b'"),
        (MeshSettings, "LOG_FORMAT", "xml", "LOG_FORMAT: .*'json' or 'text'"),
        (PlannerSettings, "PLAN_BACK", "-1", "PLAN_BACK: .*got '-1'"),
        (PlannerSettings, "PLAN_BACK", "20000", "PLAN_BACK: .*got '20000'"),
        (DownloaderSettings, "VT_API_URL", "virustotal", "VT_API_URL: .*got 'virustotal'"),
        (DownloaderSettings, "MEMORY_LIMIT", "1024", "MEMORY_LIMIT: write it .* 512Mi or 1Gi for example, got .1024"),
        (DownloaderSettings, "VT_API_URL", "https://www.virustotal.com", "VT_API_URL: the API .* https://.*/api/v3"),
        (DownloaderSettings, "VT_API_URL", "https://virustotal.com/gui", "VT_API_URL: the API of VirusTotal is at"),
        (DownloaderSettings, "VT_API_URL", "http://www.virustotal.com/api/v3", "VT_API_URL: the API of VirusTotal"),
        (DownloaderSettings, "VT_API_URL", "http://127.0.0.1:1/", "has no path; write http://127.0.0.1:1/api/v3"),
        (DownloaderSettings, "VT_API_URL", "https://a.example/v3?x=1", "VT_API_URL: .*leave out what follows"),
        (DownloaderSettings, "VT_API_URL", "https://a.example:x/v3", "VT_API_URL: not an address"),
        (DownloaderSettings, "VT_API_URL", "https://a.example/\u200bv3", "character 19 of 21 is U\\+200B ZERO WIDTH"),
        (DownloaderSettings, "VT_API_KEY", " ", "set VT_API_KEY, or VT_API_KEY_SECRET"),
        (DownloaderSettings, "VT_API_KEY_SECRET", "projects/p/vt-key", "VT_API_KEY_SECRET: write the secret's name"),
        (DownloaderSettings, "VT_API_KEY_SECRET_VERSION", "versions/1", "VT_API_KEY_SECRET_VERSION: "),
        (MeshSettings, "LANDING_BUCKET", "gs://b", "LANDING_BUCKET: write the bucket's name alone: b, got 'gs://b'"),
        (MeshSettings, "LANDING_BUCKET", "b/", "LANDING_BUCKET: write the bucket's name alone: b,"),
        (MeshSettings, "LANDING_BUCKET", "gs://b/feeds/", "LANDING_BUCKET: write the bucket's name alone: b,"),
        (MeshSettings, "LANDING_BUCKET", "gs://", "LANDING_BUCKET: write the bucket's name alone"),
        (MeshSettings, "LANDING_BUCKET", "My-b", "character 1 of 4 is U\\+004D LATIN CAPITAL LETTER M"),
        (MeshSettings, "LANDING_BUCKET", "b\u200b", "character 2 of 2 is U\\+200B ZERO WIDTH SPACE"),
        (MeshSettings, "GCP_PROJECT", "123456789012", "GCP_PROJECT: this is a project's number; write its ID"),
        (MeshSettings, "GCP_PROJECT", "My Project", "GCP_PROJECT: character 1 of 10 .*neither the name nor projects/"),
        (MeshSettings, "GCP_PROJECT", '"p"', "GCP_PROJECT: character 1 of 3 is U\\+0022 QUOTATION MARK"),
        (MeshSettings, "BQ_DATASET", "p.vt_feeds", "BQ_DATASET: write the dataset alone; its project is GCP_PROJECT"),
        (MeshSettings, "BQ_DATASET", "p:vt_feeds", "BQ_DATASET: write the dataset alone"),
        (MeshSettings, "NAME_PREFIX", "eu", "NAME_PREFIX: a prefix .* ends with a hyphen, as eu-, got 'eu'"),
        (MeshSettings, "NAME_PREFIX", "Europe-2-", "NAME_PREFIX: a prefix has up to 7 lower-case letters"),
        (MeshSettings, "FEEDS", "domains files", "FEEDS: 'domains files': separate names by commas"),
        (MeshSettings, "FEEDS", "domains;files", "FEEDS: 'domains;files': separate names by commas"),
        (MeshSettings, "PUBSUB_EMULATOR_HOST", "http://127.0.0.1:8085", "PUBSUB_EMULATOR_HOST: write host and port"),
        (MeshSettings, "STORAGE_EMULATOR_HOST", "http://127.0.0.1:1/storage", "STORAGE_EMULATOR_HOST: write host"),
        (WarehouseSettings, "BQ_LOCATION", "europe-west2-c", "BQ_LOCATION: this is a zone; .* europe-west2,"),
        (MeshSettings, "BIGQUERY_EMULATOR_HOST", "localhost", "BIGQUERY_EMULATOR_HOST: write host and port"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    env: pytest.MonkeyPatch, kind: type[BaseSettings], name: str, value: str, reason: str
) -> None:
    """The error has the variable, the value and the reason."""
    env.setenv(name, value)
    with pytest.raises(Misconfigured, match=reason):
        read_settings(kind)


def test_the_predecessors_names_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """GCP_PROJECT_ID, BUCKET_NAME and BQ_DATASET_NAME still work."""
    monkeypatch.setenv("GCP_PROJECT_ID", "p")
    monkeypatch.setenv("BUCKET_NAME", "b")
    monkeypatch.setenv("BQ_DATASET_NAME", "d")
    settings = read_settings(MeshSettings)
    assert (settings.project, settings.bucket, settings.dataset) == ("p", "b", "d")


def test_variables_of_other_programs_are_not_taken_for_ours(env: pytest.MonkeyPatch) -> None:
    """HOST, PROJECT, ORDER and other variables of a shell or framework are ignored.

    Only declared names are settings.
    """
    for name in (
        "HOST",
        "PROJECT",
        "BUCKET",
        "DATASET",
        "ORDER",
        "REGION",
        "FILTERS",
        "CLEAN",
        "LOG_TYPE",
        "PAGE_SIZE",
    ):
        env.setenv(name, "127.0.0.1")
    assert read_settings(SecOpsSettings).host == "https://{region}-chronicle.googleapis.com"
    assert read_settings(MeshSettings).project == "p"


def test_feeds_are_a_comma_list(env: pytest.MonkeyPatch) -> None:
    """Spaces and repetitions are ignored, an empty value switches all feeds off, and the default is domains."""
    assert read_settings(MeshSettings).feeds == ("domains",)
    env.setenv("FEEDS", " domains , domains,")
    assert read_settings(MeshSettings).feeds == ("domains",)
    env.setenv("FEEDS", "")
    assert read_settings(MeshSettings).feeds == ()


def test_the_api_key_is_stripped_and_never_shown(env: pytest.MonkeyPatch) -> None:
    """The key is stripped of its newline, and no dump or repr contains it."""
    env.setenv("VT_API_KEY", "  s3cret\n")
    settings = read_settings(DownloaderSettings)
    assert settings.api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_a_missing_api_key_is_refused_with_what_to_set(env: pytest.MonkeyPatch) -> None:
    """An empty key never reaches the source; a secret's name is enough."""
    with pytest.raises(Misconfigured, match="no API key: set VT_API_KEY, or VT_API_KEY_SECRET"):
        read_settings(DownloaderSettings)
    env.setenv("VT_API_KEY_SECRET", "vt-key")
    assert not read_settings(DownloaderSettings).api_key.get_secret_value()


KEY = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (KEY + "\u200b", "character 65 of 65 is U+200B ZERO WIDTH SPACE"),
        ("\ufeff" + KEY, "character 1 of 65 is U+FEFF ZERO WIDTH NO-BREAK SPACE"),
        (f"\u201c{KEY}\u201d", "character 1 of 66 is U+201C LEFT DOUBLE QUOTATION MARK"),
        (f"'{KEY}'", "character 1 of 66 is U+0027 APOSTROPHE"),
        (f"{KEY[:20]}\n{KEY[20:]}", "character 21 of 65 is U+000A LINE FEED"),
        (f"{KEY[:20]}\r\n{KEY[20:]}", "character 21 of 66 is U+000D CARRIAGE RETURN"),
        (f"{KEY[:20]} {KEY[20:]}", "character 21 of 65 is U+0020 SPACE"),
        (f"{KEY[:20]}\x1b[0m{KEY[20:]}", "character 21 of 68 is U+001B without a name"),
        (f"{KEY[:63]}\u0430", "character 64 of 64 is U+0430 CYRILLIC SMALL LETTER A"),
    ],
)
def test_a_key_with_a_typing_slip_is_refused_by_its_place(env: pytest.MonkeyPatch, key: str, place: str) -> None:
    """The error has the character, its position and the remedy, but nothing of the key."""
    env.setenv("VT_API_KEY", key)
    with pytest.raises(Misconfigured, match=f"VT_API_KEY: {re.escape(place)}, which no API key has; copy") as caught:
        read_settings(DownloaderSettings)
    assert not any(KEY[at : at + 6] in str(caught.value) for at in range(10))


def error_of(key: str) -> str:
    """Return the output of start-up with a key, accepted or refused; an accepted key is a valid header."""
    try:
        settings = VirusTotalSettings.model_validate({"VT_API_KEY": key})
    except ValidationError as error:
        return describe_errors(error)
    PreparedRequest().prepare_headers({"x-apikey": settings.api_key.get_secret_value()})
    return f"{settings!r}{settings.model_dump_json()}"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=80))
def test_no_key_is_ever_shown(key: str) -> None:
    """This holds for any character in the middle of the key."""
    assert "s3cret" not in error_of(f"s3cret{key}s3cret")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # A key in the place of its secret's name, which is logged at the start.
        ("VT_API_KEY_SECRET", KEY),
        ("VT_API_URL", f"https://user:{KEY}@a.example/api/v3"),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(env: pytest.MonkeyPatch, name: str, value: str) -> None:
    """The error does not have the value."""
    env.setenv(name, value)
    with pytest.raises(Misconfigured, match=name) as caught:
        read_settings(DownloaderSettings)
    assert KEY[:8] not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GCP_PROJECT", "example.com:my-project-1"),
        ("LANDING_BUCKET", "my_bucket.example.com"),
        ("VT_API_URL", "https://www.virustotal.com/api/v3/"),
        ("VT_API_URL", "http://127.0.0.1:8080/api/v3"),
        ("VT_API_URL", "https://proxy.example/vt"),
        ("VT_API_KEY_SECRET", "projects/123/secrets/vt-key/versions/4"),
        ("STORAGE_EMULATOR_HOST", "http://127.0.0.1:4443"),
        ("PUBSUB_EMULATOR_HOST", "[::1]:8085"),
    ],
)
def test_what_can_be_right_is_taken(env: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A check must accept everything that the cloud accepts."""
    env.setenv("VT_API_KEY", KEY)
    env.setenv(name, value)
    assert value in read_settings(DownloaderSettings).model_dump().values()


def test_settings_come_from_a_dotenv_file_too(tmp_path: Path) -> None:
    """A `.env` in the working directory is read."""
    (tmp_path / ".env").write_text("GCP_PROJECT=from-file\nLANDING_BUCKET=b\n")
    assert read_settings(MeshSettings).project == "from-file"
