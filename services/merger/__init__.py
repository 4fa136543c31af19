"""Merger: moves staging into history and current, one transaction per feed, and writes the counts into the ledger."""
