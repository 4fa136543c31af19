"""Runs parsers as a SecOps instance does, as far as the parsers of this project need it."""
