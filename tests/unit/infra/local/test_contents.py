"""The contents recorded in a state folder, and which changes are refused."""

from pathlib import Path

import pytest

from infra.local.contents import Contents, Source, read_contents, refuse_to_empty
from infra.local.prerequisites import PubSub
from infra.local.state import StateFolder
from infra.local.up import UpOptions, wanted_contents
from shared.contracts.outcomes import Misconfigured

SIMULATOR = Source(seed=7, lines=60)
REAL = Source(api_url="https://www.virustotal.com/api/v3")
KEY = {"VT_API_KEY": "k"}


def options(state: Path, **asked: int | bool) -> UpOptions:
    """Return the contents that `gti-mesh up` wants with these options."""
    nothing: dict[str, int | bool | None] = {"seed": None, "lines": None, "port": None, "fresh": False, "yes": False}
    chosen = {**nothing, **asked}
    return UpOptions(state, pubsub=PubSub.AUTO, **chosen)  # type: ignore[arg-type]


def folder_with(folder: Path, source: Source, *feeds: str, kept: bool = True) -> Path:
    """Return a state folder with these contents."""
    folder.mkdir(exist_ok=True)
    Contents(source=source, feeds=feeds, kept=kept).write(folder)
    return folder


def test_an_empty_folder_gets_what_is_asked_for(tmp_path: Path) -> None:
    """The source is the simulator with its defaults, or the server of a key."""
    assert wanted_contents(options(tmp_path), {}) == Contents(source=SIMULATOR, feeds=("domains",), kept=True)
    settings = {**KEY, "VT_API_URL": "http://127.0.0.1:1/api/v3/", "FEEDS": "urls, files"}
    found = wanted_contents(options(tmp_path), settings)
    assert (found.source.api_url, found.feeds) == ("http://127.0.0.1:1/api/v3", ("urls", "files"))
    assert wanted_contents(options(tmp_path), KEY).source == REAL


def test_a_folder_goes_on_as_it_is(tmp_path: Path) -> None:
    """Seed, lines and feeds default to the folder's."""
    state = folder_with(tmp_path, Source(seed=3, lines=9), "domains", "urls")
    expected = Contents(source=Source(seed=3, lines=9), feeds=("domains", "urls"), kept=True)
    assert wanted_contents(options(state), {}) == expected
    assert wanted_contents(options(state, seed=3, lines=9), {"FEEDS": "domains,urls"}) == expected


@pytest.mark.parametrize(
    ("source", "asked", "settings", "words"),
    [
        (SIMULATOR, {}, KEY, ("the simulator with --seed 7 --lines 60", REAL.api_url, "no VT_API_KEY")),
        (REAL, {}, {}, (REAL.api_url, "the simulator with --seed 7 --lines 60", "set VT_API_KEY")),
        (SIMULATOR, {"seed": 8}, {}, ("--seed 7 --lines 60", "--seed 8 --lines 60")),
        (SIMULATOR, {"lines": 5}, {}, ("--seed 7 --lines 60", "--seed 7 --lines 5")),
        (REAL, {}, {**KEY, "VT_API_URL": "https://other.example/v3"}, (REAL.api_url, "https://other.example/v3")),
    ],
)
def test_minutes_of_two_sources_are_never_mixed(
    tmp_path: Path, source: Source, asked: dict[str, int], settings: dict[str, str], words: tuple[str, ...]
) -> None:
    """The error names the folder's contents, the requested ones, and the alternatives, of which --yes is none."""
    state = folder_with(tmp_path, source, "domains")
    with pytest.raises(Misconfigured) as caught:
        wanted_contents(options(state, yes=True, **asked), settings)
    text = str(caught.value)
    for word in (str(state), *words, "by --state", "by --fresh"):
        assert word in text
    assert "\n" not in text
    assert wanted_contents(options(state, fresh=True, **asked), settings).source != source


def test_a_feed_is_added_freely_and_left_out_on_purpose(tmp_path: Path) -> None:
    """Minutes of a dropped feed are no longer fetched, so dropping one needs --yes."""
    state = folder_with(tmp_path, SIMULATOR, "domains", "files")
    assert wanted_contents(options(state), {"FEEDS": "domains,files,urls"}).feeds == ("domains", "files", "urls")
    with pytest.raises(Misconfigured, match=r"minutes of files would no .*\(FEEDS=domains,files\), or use --yes"):
        wanted_contents(options(state), {"FEEDS": "domains"})
    assert wanted_contents(options(state, yes=True), {"FEEDS": "domains"}).feeds == ("domains",)
    with pytest.raises(Misconfigured, match=r"FEEDS names none"):
        wanted_contents(options(state), {"FEEDS": ""})


def test_streams_for_bigquery_are_remembered_too(tmp_path: Path) -> None:
    """As feeds are; a feed among them, and a stream among feeds, is refused."""
    asked = {"STREAMS": "ioc_stream,campaigns", "STREAMS_TO_BIGQUERY": "campaigns"}
    wanted_contents(options(tmp_path), asked).write(tmp_path)
    assert wanted_contents(options(tmp_path), {}).streams == ("campaigns",)
    with pytest.raises(Misconfigured, match=r"of campaigns would no .*\(STREAMS_TO_BIGQUERY=campaigns\), or use --yes"):
        wanted_contents(options(tmp_path), {"STREAMS_TO_BIGQUERY": ""})
    for wrong in ({"FEEDS": "campaigns"}, {"STREAMS_TO_BIGQUERY": "domains"}):
        with pytest.raises(Misconfigured, match="name it in"):
            wanted_contents(options(tmp_path), wrong)


def test_an_unknown_feed_is_named_before_anything_is_written(tmp_path: Path) -> None:
    """Otherwise the unknown feed would be recorded."""
    with pytest.raises(Misconfigured, match="unknown feed 'domians'"):
        wanted_contents(options(tmp_path), {"FEEDS": "domians"})
    assert read_contents(tmp_path) is None


def test_a_spoilt_note_is_named(tmp_path: Path) -> None:
    """The error names the file and the remedy."""
    StateFolder(tmp_path).contents.write_text('{"source": 1}', encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"contents\.json cannot be read .* or delete this one"):
        wanted_contents(options(tmp_path), {})


def test_a_demo_never_empties_what_up_keeps(tmp_path: Path) -> None:
    """A folder of `up` is never emptied silently; a folder of an earlier demo is."""
    refuse_to_empty(tmp_path / "new", only_demos=False)
    refuse_to_empty(folder_with(tmp_path / "demo", SIMULATOR, "domains", kept=False), only_demos=False)
    for only_demos in (False, True):
        with pytest.raises(Misconfigured, match=r"`gti-mesh up` keeps minutes of the simulator .* use --yes"):
            refuse_to_empty(folder_with(tmp_path / "up", SIMULATOR, "domains"), only_demos=only_demos)


def test_a_folder_from_before_there_were_notes_is_not_emptied_either(tmp_path: Path) -> None:
    """Only the demo's own folder is emptied without a record."""
    (tmp_path / "storage/bucket").mkdir(parents=True)
    refuse_to_empty(tmp_path, only_demos=True)
    with pytest.raises(Misconfigured, match="it does not say what it holds"):
        refuse_to_empty(tmp_path, only_demos=False)


def test_an_emptied_folder_forgets_what_it_held(tmp_path: Path) -> None:
    """The record is deleted together with the contents."""
    state = StateFolder(tmp_path / "state")
    with state.claimed(fresh=False):
        folder_with(state.path, REAL, "domains")
    with state.claimed(fresh=False):
        assert read_contents(state.path)
    with state.claimed(fresh=True):
        assert read_contents(state.path) is None
