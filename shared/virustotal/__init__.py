"""VirusTotal's API: requests, which errors are transient, and hosts that must never see the key."""
