"""The state of the mesh, computed once: coverage, accounts, audit, dead letters, status of feeds and streams."""
