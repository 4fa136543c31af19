"""Signals of a process that runs a local mesh."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.local.signals import ended_like_interrupted


@contextmanager
def hang_up(handler: signal.Handlers) -> Iterator[None]:
    """Start with SIGHUP handled in a way, as a shell or nohup leaves it to a program."""
    before = signal.signal(signal.SIGHUP, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_is_an_interrupt(number: signal.Signals) -> None:
    """Every `finally` of the program runs."""
    with hang_up(signal.SIG_DFL), pytest.raises(KeyboardInterrupt), ended_like_interrupted():
        os.kill(os.getpid(), number)


def test_under_nohup_a_closing_terminal_ends_nothing() -> None:
    """SIGHUP that was ignored at start-up stays ignored; SIGTERM still ends the program."""
    with hang_up(signal.SIG_IGN), ended_like_interrupted():
        os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
