"""The short form of the soak: the deaths that every promise was made for, and accounts that balance after them."""

from pathlib import Path

import pytest

from infra.local.machine import PubSub
from tests.soak.run import Options, explain, soak
from tests.soak.world import Size

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


@pytest.mark.timeout(400)
def test_nothing_is_lost_and_nothing_counts_twice_whatever_dies(tmp_path: Path) -> None:
    """Services die between their steps, emulators in the middle of theirs; sweeps alone bring everything to its end."""
    options = Options(
        folder=tmp_path,
        seed=SEED,
        seconds=25.0,
        kills=None,
        size=Size(minutes=14, feeds=("domains", "files"), twins=False, notification_seconds=5),
        pubsub=PubSub.EMBEDDED,
        short_leases=True,
    )
    told: list[str] = []
    outcome = soak(options, told.append)
    assert outcome.verdict.balanced, "\n".join([*told, *explain(options, outcome.verdict)])
    assert set(outcome.kills) >= DEATHS, "\n".join(told)
