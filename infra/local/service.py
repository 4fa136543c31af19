"""A service with the packages of the image: `python -m infra.local.service`, with functions-framework's own options."""

import runpy
import sys

# They come with the BigQuery emulator. BigQuery's client loads them wherever they are, and that is a fifth of a start.
_NOT_IN_THE_IMAGE = ("google.cloud.bigquery_storage_v1", "pyarrow")


def main() -> None:
    """Serve until told to stop."""
    for name in _NOT_IN_THE_IMAGE:
        # How Python marks what cannot be imported (docs.python.org/3/reference/import.html).
        sys.modules[name] = None  # type: ignore[assignment]
    runpy.run_module("functions_framework", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
