"""How many lines of a package may be rejected: downloader and loader use the same limit."""

# Above this share the source has changed its format; it is not just a few bad lines.
_MAX_REJECTED = 0.1
# In a package with fewer lines any number may be bad: a share of so few lines means nothing.
_MIN_LINES = 20


def rejects_allowed(lines: int) -> int:
    """Return how many lines of a package may be rejected while the rest is accepted."""
    return lines if lines < _MIN_LINES else int(lines * _MAX_REJECTED)
