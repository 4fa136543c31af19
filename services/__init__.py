"""The services of the mesh, one folder each; no service imports another."""
