"""The resident memory of a process, as Linux reports it."""

from pathlib import Path
from typing import Literal


def resident_mebibytes(field: Literal["VmRSS", "VmHWM"], process: str | int = "self") -> float:
    """Return the present (VmRSS) or the largest (VmHWM) resident memory; 0 for a process that has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    # A zombie has no memory left.
    return int(status.split(f"{field}:", 1)[1].split(None, 1)[0]) / 1024 if field in status else 0.0
