"""The lists of the simulated VirusTotal: ioc_stream and collections, with keyset cursors, filters and faults."""
