"""Shared code: contracts, outcomes, settings, and adapters to Google Cloud and VirusTotal."""
