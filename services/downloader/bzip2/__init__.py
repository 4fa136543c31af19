"""Decode bzip2 packages with lbzip2 if installed, otherwise with libbz2; refuse truncated or damaged ones."""
