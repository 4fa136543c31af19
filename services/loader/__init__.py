"""Loader: consumes MinuteLanded and MinuteAbsent, appends to BigQuery staging, keeps the ledger; its second target records dead letters."""
