"""Simulated threat lists of GTI."""
