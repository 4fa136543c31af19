"""Pub/Sub for one machine: Google's gRPC API over one SQLite file; docs/local-pubsub.md lists the differences.

Read `schema.sql` first, then `message_store.py` and `leases.py`: there is one row per message that a subscription has
not acknowledged, with the time from which it may be delivered. Leases, backoffs and delays only change that time.
`publisher.py` and `subscriber.py` have a method per RPC, `statements.sql` has the statements by name.
"""
