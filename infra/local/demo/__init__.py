"""`gti-mesh demo`: run the whole mesh once with scripted failures, and balance the accounts."""
