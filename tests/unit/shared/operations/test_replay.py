"""A replay is followed to its end, and merged on the way."""

from datetime import timedelta
from typing import Any

from shared.operations.follow import Reached
from shared.operations.mesh import Mesh
from shared.operations.replay import MergeWhenLoaded, time_to_load
from shared.runtime.settings import MeshSettings
from tests.support.doubles import NOON, Clock

LOADED = Reached(due=3, landed=3, loaded=2, merged=0, ended=1)
LOADING = Reached(due=3, landed=2, loaded=1, merged=0, ended=1)


def test_the_merger_is_called_when_everything_is_loaded_and_again_after_a_while() -> None:
    """It may be busy at first; a look a second does not become a merge a second."""
    clock, merges = Clock(), []
    merging = MergeWhenLoaded(lambda: merges.append(clock.time), elapsed=lambda: clock.time.timestamp())  # noqa: PLW0108 (the time changes)
    merging.check()
    for now in (LOADING, LOADED, LOADED, LOADED, LOADED):
        merging.note("domains", LOADED)
        merging.note("urls", now)
        merging.check()
        clock.advance(seconds=4)
    assert merges == [NOON + timedelta(seconds=4), NOON + timedelta(seconds=16)]


def mesh(**settings: Any) -> Mesh:
    """Return a mesh that is not connected."""
    return Mesh(MeshSettings.model_validate({"GCP_PROJECT": "p", "LANDING_BUCKET": "b", **settings}))


def test_the_time_of_a_large_replay_is_told_by_the_pace_that_was_found() -> None:
    """In the cloud each feed has a table of its own, on one machine everything shares it."""
    wanted = {"domains": [NOON] * 9000, "urls": [NOON] * 4500}
    assert time_to_load(mesh(), wanted) == timedelta(seconds=2000)
    assert time_to_load(mesh(PUBSUB_EMULATOR_HOST="127.0.0.1:1"), wanted) == timedelta(seconds=1350)
