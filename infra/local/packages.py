"""Packages that are on this machine for an emulator's sake alone."""

import sys

# BigQuery's client loads them wherever they are, and that is a fifth of a service's start.
_NOT_IN_THE_IMAGE = ("google.cloud.bigquery_storage_v1", "pyarrow")


def hide_emulators_packages() -> None:
    """Let this process find no more packages than there are in the image."""
    for name in _NOT_IN_THE_IMAGE:
        # How Python marks what cannot be imported (docs.python.org/3/reference/import.html).
        sys.modules[name] = None  # type: ignore[assignment]
