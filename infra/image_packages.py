"""Packages that are installed only for the emulators."""

import sys

# BigQuery's client imports the first two if they are installed, which is a fifth of a service's start-up time. With the
# third stamina prints each retry to standard output.
_NOT_IN_THE_IMAGE = ("google.cloud.bigquery_storage_v1", "pyarrow", "structlog")


def hide_emulators_packages() -> None:
    """Hide the packages that are not in the image from this process."""
    for name in _NOT_IN_THE_IMAGE:
        # Python's marker for a module that cannot be imported (docs.python.org/3/reference/import.html).
        sys.modules[name] = None  # type: ignore[assignment]
