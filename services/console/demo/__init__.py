"""`gti-mesh demo`: the whole mesh once, through a scripted bad day, ending in accounts that balance."""
