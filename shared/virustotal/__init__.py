"""VirusTotal's API: who may be asked what, which answers heal by themselves, and where the key may never go."""
