"""Poll VirusTotal streams into the log of pages."""
