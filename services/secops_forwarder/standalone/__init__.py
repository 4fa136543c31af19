"""Poller and importer in one process, without Pub/Sub: the log, the deliveries and the dead letters are one bucket."""
