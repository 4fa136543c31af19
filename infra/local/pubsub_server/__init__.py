"""Pub/Sub for one machine: Google's gRPC API over one SQLite file; docs/local-pubsub.md says where it differs.

Read `schema.sql` first, then `log.py` and `leases.py`: there is a row for each message that a subscription has not
acknowledged, with the moment from which it may be delivered. Leases, backoffs and delays only move that moment.
"""
