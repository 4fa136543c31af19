"""The `gti-mesh` command: one module per command, each of which parses arguments, calls the work and prints."""
