"""What several services need: contracts, outcomes, settings and the edges to Google Cloud and VirusTotal."""
