"""Free ports on 127.0.0.1."""

import os
import socket
from contextlib import ExitStack
from itertools import chain

HOST = "127.0.0.1"

# Below the ephemeral ranges of Linux (32768-60999) and macOS (49152-65535): a port from inside them could become the
# source port of an outgoing connection in the seconds between being chosen here and being bound by its process.
_CANDIDATES = range(20_000, 32_000)
_APART = 50


def free_ports(count: int) -> list[int]:
    """Return ports nothing listens on, all different."""
    with ExitStack() as held:
        return [_hold_one(held) for _ in range(count)]


def _hold_one(held: ExitStack) -> int:
    # Meshes that start at the same time look in different places: a port is free until its process has bound it.
    begin = os.getpid() * _APART % len(_CANDIDATES)
    for port in chain(_CANDIDATES[begin:], _CANDIDATES[:begin]):
        listener = socket.socket()
        try:
            listener.bind((HOST, port))
        except OSError:
            listener.close()
            continue
        held.enter_context(listener)
        return port
    raise OSError(f"no free port on {HOST} between {_CANDIDATES.start} and {_CANDIDATES.stop - 1}")
