"""What the lines of a package say: one module a kind, all names made up, shapes as in real feeds."""
