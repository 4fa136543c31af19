"""Fuzzing: malformed input from outside, with a defined outcome for each."""
