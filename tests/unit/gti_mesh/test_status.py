"""`gti-mesh status` and `dead list` on a terminal of 80 columns, and the status that is watched."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gti_mesh.dead import print_dead_letters
from gti_mesh.main import app
from gti_mesh.status import show_status, watch_status
from shared.contracts.outcomes import Retryable
from shared.operations.feed_status import FeedStatus
from shared.operations.gaps import Gap
from shared.operations.open_dead_letters import DeadLetterRecord
from shared.operations.status import MeshStatus
from shared.operations.stream_status import StreamStatus
from shared.operations.version_counts import VersionCounts
from shared.runtime.terminal import terminal
from tests.support.doubles import NOON

FEEDS = ("domains", "file_behaviours", "files", "ip_addresses", "urls", "threat_lists")
GAP = Gap("file_behaviours", NOON - timedelta(days=6), NOON - timedelta(days=5), "never loaded")
STATES = {"merged": 10_000, "loaded": 40, "landed": 30, "due": 7, "dead": 2, "absent": 1}


def feed(name: str) -> FeedStatus:
    """Return the status of a feed with large figures."""
    return FeedStatus(
        feed=name,
        last_due=NOON,
        last_merged=NOON - timedelta(hours=3),
        freshness_minutes=1234,
        stale=False,
        states_24h=STATES,
        states_7d=STATES,
        gaps=[GAP],
        lines_24h=7_000_000,
        rejected_24h=123_456,
        lines_per_minute=4861.1,
        absent_in_a_row=0,
        versions=VersionCounts(123_456_789, 1_234_567_890, NOON - timedelta(days=3)),
    )


STREAM = StreamStatus(
    stream="ioc_stream",
    pages={"delivered": 1998, "waiting": 1, "given up": 1},
    notifications=80_000,
    delivered=79_000,
    waiting=999,
    given_up=1,
    requests=4000,
    first_date=NOON,
    last_date=NOON,
    last_landed=NOON,
    freshness_minutes=12,
    held_until=NOON,
    undelivered=[],
    hours=[],
)
LETTER = DeadLetterRecord(
    "9007199254740993123", "file_behaviours", NOON, "too large " * 20, 100, "downloader", NOON, "dead",
    error_type="minute_in_future",
)  # fmt: skip
STATUS = MeshStatus(NOON, [feed(name) for name in FEEDS], [], [LETTER], [STREAM])


def narrow() -> Console:
    """Return the commands' console on a terminal of 80 columns."""
    console = terminal()
    console.file, console.width = StringIO(), 80
    return console


def printed(console: Console) -> str:
    """Return what was printed."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_status_of_many_feeds_fits_80_columns() -> None:
    """A feed is a row; its name, its moments and its figures are whole."""
    console = narrow()
    show_status(STATUS, console)
    text = printed(console)
    # A command is never folded: the terminal wraps it, and it can be pasted.
    assert max(len(line) for line in text.splitlines() if "gti-mesh" not in line) <= 80
    assert "…" not in text
    for name in FEEDS:
        [row] = [line for line in text.splitlines() if line.startswith(f"{name} ") and "11-21 12:00Z" in line]
        assert all(value in row for value in ("11-21 09:00Z", "1234 min", "123456 of 7000000"))
    assert "10000 merged" in text
    assert GAP.remedy in text


def test_ids_and_minutes_of_dead_letters_are_whole() -> None:
    """They are what a command needs; only the reason is wrapped."""
    console = narrow()
    print_dead_letters([LETTER, replace(LETTER, message_id="x" * 100, feed=None, minute=None)], console)
    lines = [line.rstrip() for line in printed(console).splitlines()]
    assert "9007199254740993123  file_behaviours  2026-11-21T12:00:00Z  minute_in_future" in lines
    assert f"{'x' * 100}  minute_in_future" in lines
    assert "    11-21 12:00Z, 100 deliveries by downloader: too large too large too large" in lines


def test_a_status_is_watched_until_it_is_interrupted() -> None:
    """A reading that fails is told, and does not end the watch."""
    console = narrow()
    pauses: list[str] = []

    def read() -> MeshStatus:
        if len(pauses) == 1:
            raise Retryable("BigQuery is away")
        return STATUS

    def pause() -> None:
        pauses.append(printed(console))
        if len(pauses) == 3:
            raise KeyboardInterrupt

    watch_status(read, console, pause=pause)
    shown = [after.removeprefix(before) for before, after in zip(["", *pauses], pauses, strict=False)]
    assert ["2026-11-21 12:00:00Z, Ctrl-C ends" in text for text in shown] == [True, False, True]
    assert ["BigQuery is away" in text for text in shown] == [False, True, False]


def test_a_status_cannot_be_watched_as_json() -> None:
    """Documents one after the other are no document."""
    done = CliRunner().invoke(app, ["status", "--watch", "--json"])
    assert (done.exit_code, "use --watch or --json" in done.output) == (2, True)


@pytest.mark.parametrize("name", ["plan", "sweep", "merge"])
def test_in_the_cloud_the_schedule_is_named(name: str, tmp_path: pytest.TempPathFactory) -> None:
    """Where no local mesh runs, the text says what to run instead."""
    done = CliRunner().invoke(app, [name, "--state", str(tmp_path)])
    assert f"gcloud scheduler jobs run {name} --location REGION" in str(done.exception)
