"""The bucket of commands without Pub/Sub, and how it ends to be one."""

from pathlib import Path

import pytest

from gti_mesh.standalone import find_standalone, standalone_of
from infra.endpoints import Endpoints
from infra.local.state import StateFolder
from services.secops_forwarder.standalone.bucket import MARK, claim
from shared.operations.mesh import Mesh
from shared.runtime.settings import MeshSettings
from tests.support.memory import MemoryBucket


def mesh() -> tuple[Mesh, MemoryBucket]:
    """Return a mesh in the cloud, with a bucket that is marked."""
    found = Mesh(MeshSettings(GCP_PROJECT="p", LANDING_BUCKET="landing"))
    bucket = MemoryBucket()
    claim(bucket)
    found.__dict__["bucket"] = bucket
    return found, bucket


def test_a_marked_bucket_is_named_with_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A mesh without feeds leaves no other trace in it; without the mark, commands look into Pub/Sub."""
    found, bucket = mesh()
    assert standalone_of(found) is bucket
    assert f"gs://landing/{MARK}; delete that object if a mesh uses the bucket now" in capsys.readouterr().err
    bucket.delete(MARK)
    assert standalone_of(found) is None
    assert capsys.readouterr().err == ""


def test_a_mesh_that_runs_here_has_its_pubsub(tmp_path: Path) -> None:
    """Whatever its state folder was used for before: its bucket is not even read."""
    state, nowhere = StateFolder(tmp_path / "state"), "http://127.0.0.1:1"
    with state.claimed(fresh=False):
        Endpoints(
            project="p", bucket="b", dataset="d", pubsub=nowhere, storage=nowhere, bigquery=nowhere, services={}
        ).write(state.path)
        assert find_standalone(state.path, None) is None
