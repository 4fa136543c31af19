"""The base of `gti-mesh doctor`: the model of a check, and the run of all checks."""
