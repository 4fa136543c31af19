"""How many lines of a package may be bad: downloader and loader hold them to the same share."""

# More than this share means that the source has changed its shape, not that a few lines are bad.
_MOST_REJECTED = 0.1
# In a package of fewer lines any may be bad: a share of so few says nothing.
_FEWEST_LINES = 20


def rejects_allowed(lines: int) -> int:
    """Return how many lines of a package may be rejected while the others are taken."""
    return lines if lines < _FEWEST_LINES else int(lines * _MOST_REJECTED)
