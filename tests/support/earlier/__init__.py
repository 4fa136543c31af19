"""What the version before recent and base made: its table of newest versions, and its merge."""
