"""What the ledger says of a dead letter, where more than one part reads it."""

# The reason of a minute that Pub/Sub gave up on; such a minute may be healthy, so the sweep tries it once more.
ATTEMPTS_SPENT = "attempts spent"
