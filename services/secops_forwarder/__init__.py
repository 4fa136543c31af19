"""SecOps forwarder: polls IOC streams into a log of pages, publishes them, consumes them, and posts to Google SecOps.

The work itself is in shared.secops, because `gti-mesh secops run --once` does it too.
"""
