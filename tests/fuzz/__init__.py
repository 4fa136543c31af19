"""Fuzzing: everything that comes from outside, bent and broken, and an outcome for each that somebody can act on."""
