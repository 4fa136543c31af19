"""Ports stay the same between starts."""

import socket
from pathlib import Path

import pytest

from infra.local.state import StateFolder
from infra.local.tcp_ports import HOST, choose_ports, free_ports


def test_wanted_ports_are_taken_and_the_others_are_free() -> None:
    """All ports are different, and each can be bound."""
    [wanted] = free_ports(1)
    found = choose_ports(["a", "b", "c"], {"b": wanted, "unknown": 1})
    assert found["b"] == wanted
    assert len(set(found.values())) == len(found) == 3
    for port in found.values():
        with socket.socket() as listener:
            listener.bind((HOST, port))


def test_a_port_that_somebody_listens_on_is_left_to_them() -> None:
    """A port in use is replaced by another."""
    with socket.create_server((HOST, 0)) as other:
        taken = other.getsockname()[1]
        assert choose_ports(["a"], {"a": taken})["a"] != taken


def test_two_parts_never_share_a_port() -> None:
    """Two parts get different ports, even if both want the same."""
    [wanted] = free_ports(1)
    found = choose_ports(["a", "b"], {"a": wanted, "b": wanted})
    assert found["a"] == wanted != found["b"]


def test_the_port_of_a_server_that_has_just_ended_is_had_again() -> None:
    """Connections of the previous server linger for a minute, and do not block its port."""
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)) as client:
            served, _ = server.accept()
            # Whoever closes first keeps the port in TIME_WAIT.
            served.close()
            assert client.recv(1) == b""
    assert choose_ports(["a"], {"a": port})["a"] == port


def test_a_state_folder_remembers_ports(tmp_path: Path) -> None:
    """Ports are read back as they were written."""
    state = StateFolder(tmp_path)
    assert state.read_ports() == {}
    state.write_ports({"status-page": 20_001})
    assert state.read_ports() == {"status-page": 20_001}


@pytest.mark.parametrize("text", ["", "[]", '{"a": 0}', '{"a": 70000}', '{"a": "x"}', "\xff"])
def test_a_spoilt_note_of_ports_is_none(tmp_path: Path, text: str) -> None:
    """A broken file of ports is ignored."""
    StateFolder(tmp_path).ports.write_text(text, encoding="latin-1")
    assert StateFolder(tmp_path).read_ports() == {}
