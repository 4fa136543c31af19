"""Settings are read once, and a wrong one is named with its value and the reason."""

from pathlib import Path

import pytest

from services.console.up import caller_settings
from services.downloader.settings import DownloaderSettings
from services.planner.settings import PlannerSettings
from shared.outcomes import Misconfigured
from shared.secops.settings import SecOpsSettings
from shared.settings import MeshSettings, read_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GCP_PROJECT", "GCP_PROJECT_ID", "LANDING_BUCKET", "BUCKET_NAME", "FEEDS", "VT_API_KEY", "VT_API_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return an environment with the two settings that have no default."""
    monkeypatch.setenv("GCP_PROJECT", "p")
    monkeypatch.setenv("LANDING_BUCKET", "b")
    return monkeypatch


def test_missing_settings_are_named() -> None:
    """Both settings without a default are named at once."""
    with pytest.raises(Misconfigured, match=r"GCP_PROJECT: missing; LANDING_BUCKET: missing"):
        read_settings(MeshSettings)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A `.env` in another encoding than UTF-8 is a wrong setting, for services and for a local mesh."""
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
        (DownloaderSettings, "VT_API_KEY", " ", "set VT_API_KEY, or VT_API_KEY_SECRET"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    env: pytest.MonkeyPatch, kind: type[MeshSettings], name: str, value: str, reason: str
) -> None:
    """The text says which variable, which value, and what is wrong with it."""
    env.setenv(name, value)
    with pytest.raises(Misconfigured, match=reason):
        read_settings(kind)


def test_the_predecessors_names_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """GCP_PROJECT_ID, BUCKET_NAME and BQ_DATASET_NAME work as they did."""
    monkeypatch.setenv("GCP_PROJECT_ID", "p")
    monkeypatch.setenv("BUCKET_NAME", "b")
    monkeypatch.setenv("BQ_DATASET_NAME", "d")
    settings = read_settings(MeshSettings)
    assert (settings.project, settings.bucket, settings.dataset) == ("p", "b", "d")


def test_variables_of_other_programs_are_not_taken_for_ours(env: pytest.MonkeyPatch) -> None:
    """HOST, PROJECT, ORDER and whatever else a shell or a framework sets are no settings; only the stated names are."""
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
    """Spaces and repetitions do not matter, an empty value switches the feeds off, and domains is the default."""
    assert read_settings(MeshSettings).feeds == ("domains",)
    env.setenv("FEEDS", " domains , domains,")
    assert read_settings(MeshSettings).feeds == ("domains",)
    env.setenv("FEEDS", "")
    assert read_settings(MeshSettings).feeds == ()


def test_the_api_key_is_stripped_and_never_shown(env: pytest.MonkeyPatch) -> None:
    """A newline at the end of a key is no part of it, and no dump or repr holds it."""
    env.setenv("VT_API_KEY", "  s3cret\n")
    settings = read_settings(DownloaderSettings)
    assert settings.api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_settings_come_from_a_dotenv_file_too(tmp_path: Path) -> None:
    """A `.env` in the working folder is read."""
    (tmp_path / ".env").write_text("GCP_PROJECT=from-file\nLANDING_BUCKET=b\n")
    assert read_settings(MeshSettings).project == "from-file"
