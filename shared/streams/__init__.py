"""The streams of the SecOps forwarder: definitions, the log of pages, the progress of each delivery."""
