"""The VirusTotal simulator as a separate process, over real HTTP."""

import bz2
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import requests

from infra.local.virustotal.feeds import FEEDS, package_name
from tests.support.simulator import KEY, MINUTE, Running, end, start
from tests.support.waiting import PATIENCE


@pytest.mark.parametrize("feed", FEEDS)
def test_a_package_holds_what_the_truth_says(vt: Running, feed: str) -> None:
    """A downloaded package has the lines that the control endpoint announces."""
    lines = bz2.decompress(vt.body(feed))
    assert lines == vt.control.truth(feed, MINUTE)
    assert lines.count(b"\n") == 6


def test_a_key_that_follows_the_redirect_is_seen_and_refused_on_request(vt: Running) -> None:
    """The download port counts keys that it receives, and answers 400 to them when a test asks for it."""
    assert requests.get(vt.location(), headers=KEY, timeout=PATIENCE).status_code == 200
    vt.control.set_modes(refuse_keys=True)
    assert requests.get(vt.location(), headers=KEY, timeout=PATIENCE).status_code == 400
    assert vt.control.stats().keys_at_download_port == 2


def test_statistics_count_requests_and_downloads(vt: Running) -> None:
    """Each status of each minute is counted on both ports, and the last request headers are kept."""
    vt.control.set_faults({"kind": "unavailable", "times": 1})
    requests.get(vt.package(), headers={**KEY, "User-Agent": "contract"}, timeout=PATIENCE)
    vt.body()
    stats = vt.control.stats()
    assert stats.requested("domains", MINUTE) == {302: 1, 503: 1}
    assert stats.downloaded("domains", MINUTE) == {200: 1}
    assert stats.download_count == 1
    assert "user-agent" in stats.last_headers["download"]


def test_the_clock_can_be_moved_and_stopped(vt: Running) -> None:
    """A minute that is not yet published is published at its time on the simulator's clock."""
    young = package_name(datetime.now(UTC) - timedelta(minutes=30))
    assert requests.get(vt.package(minute=young), headers=KEY, timeout=PATIENCE).status_code == 400
    vt.control.move_clock(3600)
    assert bz2.decompress(vt.body(minute=young))
    moment = datetime(2031, 5, 1, 12, 0, tzinfo=UTC)
    vt.control.stop_clock(moment)
    assert vt.control.now() == moment
    assert bz2.decompress(vt.body(minute="203105011100"))


def test_keys_can_be_rotated(vt: Running) -> None:
    """The old key is refused as soon as another is accepted."""
    vt.control.accept_keys("another")
    assert requests.get(vt.package(), headers=KEY, timeout=PATIENCE).status_code == 401


def test_a_direct_answer_can_be_switched_on(vt: Running) -> None:
    """With direct answers switched on, the API answers 200 with the body."""
    vt.control.set_modes(direct=True)
    answer = requests.get(vt.package(), headers=KEY, allow_redirects=False, timeout=PATIENCE)
    assert answer.status_code == 200
    assert bz2.decompress(answer.content) == vt.control.truth("domains", MINUTE)


def test_given_bytes_reach_the_client_as_they_are(vt: Running) -> None:
    """A minute can be set to any bytes, and the client receives them unchanged."""
    vt.control.give_package("domains", MINUTE, b"\x00\xffany bytes")
    assert vt.body() == b"\x00\xffany bytes"
    vt.control.take_package("domains", MINUTE)
    assert vt.body().startswith(b"BZh")


def test_a_refused_script_raises(vt: Running) -> None:
    """An invalid fault fails in the test that sends it, and changes nothing."""
    with pytest.raises(ValueError, match="no_such_fault"):
        vt.control.set_faults({"kind": "no_such_fault"})
    assert vt.control.faults() == []


def test_a_reset_ends_in_a_connection_error(vt: Running) -> None:
    """The client sees a reset in the middle of the body, and the next request succeeds."""
    vt.control.set_faults({"kind": "reset", "times": 1})
    location = vt.location()
    received, error = received_until_error(location)
    assert isinstance(error, ConnectionResetError)
    assert received.startswith(b"HTTP/1.1 200")
    assert requests.get(location, timeout=PATIENCE).status_code == 200


def received_until_error(location: str) -> tuple[bytes, OSError | None]:
    """Read a raw response to its end, and return it with the error that ended it."""
    host, _, path = location.removeprefix("http://").partition("/")
    address, _, port = host.partition(":")
    received = b""
    with closing(socket.create_connection((address, int(port)), timeout=PATIENCE)) as connection:
        connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        try:
            while piece := connection.recv(65_536):
                received += piece
        except OSError as error:
            return received, error
    return received, None


def test_a_short_body_ends_before_its_length(vt: Running) -> None:
    """The body is shorter than the Content-Length, and the connection is closed in order."""
    vt.control.set_faults({"kind": "short", "at": 0.25})
    received, error = received_until_error(vt.location())
    head, _, body = received.partition(b"\r\n\r\n")
    promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert error is None
    assert len(body) == promised // 4


def test_a_cut_body_keeps_its_length(vt: Running) -> None:
    """A package that was cut before it was served is a valid HTTP response."""
    vt.control.set_faults({"kind": "cut"})
    answer = requests.get(vt.location(), timeout=PATIENCE)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    decompressor = bz2.BZ2Decompressor()
    decompressor.decompress(answer.content)
    assert not decompressor.eof


def test_a_slow_body_takes_its_time(vt: Running) -> None:
    """A slow body arrives in small parts and is complete."""
    vt.control.set_faults({"kind": "slow", "seconds": 0.4})
    begun = time.monotonic()
    assert bz2.decompress(vt.body()) == vt.control.truth("domains", MINUTE)
    assert time.monotonic() - begun >= 0.4


def test_a_connection_serves_several_requests(vt: Running) -> None:
    """HTTP/1.1 connections stay open."""
    with requests.Session() as session:
        for _ in range(3):
            answer = session.get(f"{vt.url}/healthz", timeout=PATIENCE)
            assert answer.raw.version == 11
            assert answer.headers.get("Connection") != "close"


def test_parallel_downloads_get_what_is_theirs(vt: Running) -> None:
    """Parallel downloads get the package of their own minute."""
    first = datetime.now(UTC) - timedelta(hours=3)
    minutes = [package_name(first + timedelta(minutes=number)) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        bodies = list(pool.map(lambda minute: vt.body(minute=minute), minutes))
    assert [bz2.decompress(body) for body in bodies] == [vt.control.truth("domains", m) for m in minutes]


def test_two_processes_with_one_seed_serve_the_same_bytes(vt: Running) -> None:
    """Flags and minute alone determine the bytes."""
    other = start("--no-ranges")
    try:
        assert other.body("urls") == vt.body("urls")
        part = requests.get(other.location(), headers={"Range": "bytes=0-9"}, timeout=PATIENCE)
        assert part.status_code == 200
    finally:
        end(other)


def test_sigterm_ends_it_at_once_and_stdout_stays_empty() -> None:
    """The process exits with 0 even while a body is being sent, and prints nothing."""
    running = start()
    running.control.set_faults({"kind": "slow", "seconds": 600})
    with requests.get(running.location(), stream=True, timeout=PATIENCE):
        running.process.send_signal(signal.SIGTERM)
        printed, _ = running.process.communicate(timeout=PATIENCE)
    assert running.process.returncode == 0
    assert printed == b""
