"""What the command prints besides its results."""

import subprocess
import sys

PROGRAM = """
from gti_mesh.main import main
from shared.contracts.outcomes import TransientError
from shared.runtime.http_requests import with_retries

def request():
    raise TransientError("the source is away", retry_after=0.01)

main(lambda: with_retries(request))
"""


def test_of_retries_only_the_last_error_is_printed() -> None:
    """Standard output has results alone, for programs, and standard error has one line."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "gti-mesh: the source is away\n")
