"""Benchmarks and cost models; each runs by a target of the Makefile."""
