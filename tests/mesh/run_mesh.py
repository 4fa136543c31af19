"""A program that runs a mesh of fake services until it is ended: `python run_mesh.py STATE_FOLDER`."""

import sys
from pathlib import Path

from infra.local.mesh import LocalMesh
from tests.mesh.recording_topology import recording_topology

if __name__ == "__main__":
    state = Path(sys.argv[1])
    settings = {"REQUEST_RECORD": str(state.parent / "record")}
    with LocalMesh(state=state, topology=recording_topology(), settings=settings, schedules=True) as mesh:
        (state.parent / "pids").write_text(" ".join(str(pid) for pid in mesh.pids.values()), encoding="ascii")
        mesh.wait()
