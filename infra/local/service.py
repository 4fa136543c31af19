"""Run a service with the image's packages only: `python -m infra.local.service`, with functions-framework's options."""

import runpy

from infra.image_packages import hide_emulators_packages


def main() -> None:
    """Serve until stopped."""
    hide_emulators_packages()
    runpy.run_module("functions_framework", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
