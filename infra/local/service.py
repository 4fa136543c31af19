"""A service with the packages of the image: `python -m infra.local.service`, with functions-framework's own options."""

import runpy

from infra.local.packages import hide_emulators_packages


def main() -> None:
    """Serve until told to stop."""
    hide_emulators_packages()
    runpy.run_module("functions_framework", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
