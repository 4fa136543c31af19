"""The services of the mesh, one folder each; they never import one another."""
