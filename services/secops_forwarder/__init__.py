"""SecOps forwarder: polls VirusTotal streams into the log of pages, and imports the pages into Google SecOps."""
