"""Ports on 127.0.0.1: the ones used last time, otherwise free ones."""

import os
import socket
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from itertools import chain

HOST = "127.0.0.1"

# Below the ephemeral ranges of Linux (32768-60999) and macOS (49152-65535): a port inside them could become the source
# port of an outgoing connection before its process binds it.
_CANDIDATES = range(20_000, 32_000)
_APART = 50


def free_ports(count: int) -> list[int]:
    """Return different free ports."""
    with ExitStack() as held:
        return [_hold_one(held) for _ in range(count)]


def choose_ports(names: Collection[str], wanted: Mapping[str, int]) -> dict[str, int]:
    """Return a different port for each name: the wanted one if it can be bound, otherwise a free one."""
    ports: dict[str, int] = {}
    with ExitStack() as held:
        for name in names:
            port = wanted.get(name)
            # SO_REUSEADDR lets two unconnected sockets bind one port.
            if port and port not in ports.values() and _hold(held, port, again=True):
                ports[name] = port
        return {name: ports.get(name) or _hold_one(held) for name in names}


def _hold_one(held: ExitStack) -> int:
    # Meshes that start at the same time search different ranges: a port is free until its process has bound it.
    begin = os.getpid() * _APART % len(_CANDIDATES)
    for port in chain(_CANDIDATES[begin:], _CANDIDATES[:begin]):
        if _hold(held, port):
            return port
    raise OSError(f"no free port on {HOST} between {_CANDIDATES.start} and {_CANDIDATES.stop - 1}")


def _hold(held: ExitStack, port: int, *, again: bool = False) -> bool:
    listener = socket.socket()
    # Otherwise lingering connections of the previous server block its port.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, again)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        return False
    held.enter_context(listener)
    return True
