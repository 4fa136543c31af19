"""IOC streams into Google SecOps: the log of pages, the walk that writes it, and the deliveries that empty it.

The work lives here because two call it: the service `secops_forwarder`, and `gti-mesh secops run --once`.
"""
