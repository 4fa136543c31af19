"""Soak: the whole mesh under a seeded plan of faults, and the accounts that must balance after it."""
