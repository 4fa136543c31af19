"""A program that runs a mesh of stand-ins until it is ended: `python run_mesh.py STATE_FOLDER`."""

import sys
from pathlib import Path

from infra.local.mesh import LocalMesh
from tests.mesh.stand_ins import stand_in_topology

if __name__ == "__main__":
    state = Path(sys.argv[1])
    settings = {"STAND_IN_RECORD": str(state.parent / "record")}
    with LocalMesh(state=state, topology=stand_in_topology(), settings=settings, schedules=True) as mesh:
        (state.parent / "pids").write_text(" ".join(str(pid) for pid in mesh.pids.values()), encoding="ascii")
        mesh.wait()
