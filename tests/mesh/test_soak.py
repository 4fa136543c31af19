"""The short form of the soak: every kind of kill, and accounts that balance afterwards."""

from pathlib import Path

import pytest

from infra.local.prerequisites import PubSub
from tests.soak.run import Options, explain, soak
from tests.soak.soak_mesh import Size

SEED = 9
DEATHS = {
    "downloader create.before",
    "downloader publish.before",
    "loader end.after",
    "merger merge.during",
    "planner publish.after",
    "secops-poll create.after",
    "secops-import post.after",
    "storage",
    "bigquery inside a merge",
    "pubsub, its backlog gone",
}


@pytest.mark.timeout(1800)
def test_nothing_is_lost_and_nothing_counts_twice_whatever_dies(tmp_path: Path) -> None:
    """Services and emulators are killed in the middle of their work; sweeps alone complete everything."""
    options = Options(
        folder=tmp_path,
        seed=SEED,
        seconds=25.0,
        kills=None,
        size=Size(
            minutes=14,
            feeds=("domains", "files", "threat_lists"),
            past_hours=4,
            twins=False,
            notification_seconds=5,
            pace=300,
        ),
        pubsub=PubSub.EMBEDDED,
        short_leases=True,
    )
    output: list[str] = []
    outcome = soak(options, output.append)
    assert outcome.verdict.balanced, "\n".join([*output, *explain(options, outcome.verdict)])
    assert set(outcome.kills) >= DEATHS, "\n".join(output)
    assert outcome.verdict.folded
    # How many there are depends on the time that the run takes; balanced says that none is lost.
    assert outcome.verdict.hours >= 5
    # Three past hours of each of two streams, twice 15 items an hour; an alert may have several versions.
    assert outcome.verdict.stream_hours >= 6
    assert outcome.verdict.stream_rows >= 180
    assert outcome.verdict.updates > 0
    assert outcome.verdict.sweeps >= 2
