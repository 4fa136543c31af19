"""Downloader: consumes MinuteRequested, lands the minute in Cloud Storage, publishes MinuteLanded or MinuteAbsent."""
