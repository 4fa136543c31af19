"""SecOps forwarder: its room; nothing is built here yet."""
