"""Console: what an operator uses, the gti-mesh command."""
