"""`gti-mesh replay`: what a command line means, and how it ends."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from typer import Exit
from typer.main import get_command
from typer.testing import CliRunner

from gti_mesh.main import app
from gti_mesh.replay import report
from shared.contracts.minutes import ONE_MINUTE, floor_minute, parse_minute, utc_now
from shared.contracts.outcomes import MeshError
from shared.feeds.definition import period_of
from shared.operations.follow import NotDone, Reached
from tests.support.doubles import NOON

WANTED = {"domains": [NOON, NOON + ONE_MINUTE], "urls": [NOON]}
MERGED = {"domains": Reached(2, 2, 2, 2, 0), "urls": Reached(1, 1, 1, 1, 0)}
ABSENT = {**MERGED, "urls": Reached(1, 0, 0, 0, 1)}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "name a feed, its first and its last minute, or use --gaps"),
        (["domains"], "name a feed, its first and its last minute, or use --gaps"),
        (["domains", "-3h"], "name a feed, its first and its last minute, or use --gaps"),
        (["domains", "-3h", "-2h", "--gaps"], "name a range or --gaps, not both"),
        (["domains", "-3x", "-2h"], "-3"),
        (["domains", "yesterday", "-2h"], "or as -90m, -3h or -2d"),
        (["domains", "-3h", "-2h", "--wiat"], "No such option"),
    ],
)
def test_a_range_that_is_not_clear_is_refused(arguments: list[str], reason: str) -> None:
    """Before a mesh is looked for."""
    done = CliRunner().invoke(app, ["replay", *arguments], env={"COLUMNS": "400"})
    assert done.exit_code == 2
    assert reason in done.output


@pytest.mark.parametrize(
    ("written", "ago"),
    [
        ("-90m", timedelta(minutes=90)),
        ("-3h", timedelta(hours=3)),
        ("-2d", timedelta(days=2)),
        ("now-3h", timedelta(hours=3)),
    ],
)
def test_a_time_can_be_counted_back_from_now(written: str, ago: timedelta) -> None:
    """To the whole minute, among the arguments and as the value of an option."""
    before = floor_minute(utc_now() - ago)
    replay = parsed("replay", "domains", written, "-1m")
    since = parsed("audit", "--since", written)
    after = floor_minute(utc_now() - ago)
    assert before <= replay["first"].of(period_of("domains")) <= after
    assert before <= since["since"] <= after


@pytest.mark.parametrize("name", ["replay", "rejects"])
def test_a_time_counted_back_from_now_is_the_hour_that_it_is_in(name: str) -> None:
    """Of a feed of hours; a time that is written in full stays as it is, so that a wrong one is refused."""
    hours, which = period_of("threat_lists"), {"replay": "first", "rejects": "minute"}[name]
    before = hours.floor(utc_now() - timedelta(minutes=200))
    given = parsed(name, "threat_lists", "-200m", *(["-3h"] if name == "replay" else []))
    assert before <= given[which].of(hours) <= hours.floor(utc_now() - timedelta(minutes=200))
    written = parsed(name, "threat_lists", "2026-11-21T14:10Z", *(["-3h"] if name == "replay" else []))
    assert written[which].of(hours) == parse_minute("2026-11-21T14:10Z")


def parsed(name: str, *arguments: str) -> Mapping[str, Any]:
    """Return what a command reads from its arguments."""
    # Click's group type is not Typer's to promise.
    command = getattr(get_command(app), "commands")[name]  # noqa: B009
    values: Mapping[str, Any] = command.make_context(name, list(arguments)).params
    return values


def test_exit_0_means_that_everything_is_merged(capsys: pytest.CaptureFixture[str]) -> None:
    """Of all feeds together; an absent minute is told, and is no success."""
    report(WANTED, lambda: MERGED)
    assert capsys.readouterr().out == "3 merged, 0 absent or dead\n"
    with pytest.raises(Exit) as ended:
        report(WANTED, lambda: ABSENT)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out == "2 merged, 1 absent or dead\n"


def test_a_wait_that_ends_says_how_to_go_on() -> None:
    """At the time limit, and at Ctrl-C: the requests need no command that waits."""

    def late() -> Mapping[str, Reached]:
        raise NotDone(7200, {"domains": Reached(2, 2, 1, 1, 0), "urls": Reached(1, 0, 0, 0, 0)})

    def interrupted() -> Mapping[str, Reached]:
        raise KeyboardInterrupt

    with pytest.raises(MeshError, match=r"1 merged, 0 absent or dead of 3 in time; the requests continue .*gaps"):
        report(WANTED, late)
    with pytest.raises(MeshError, match=r"interrupted; the requests continue without this command"):
        report(WANTED, interrupted)
