"""Import pages into Google SecOps."""
