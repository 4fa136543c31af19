"""Loader: consumes MinuteLanded and MinuteAbsent, appends to BigQuery staging and keeps the ledger.

Its second target records dead letters.
"""
