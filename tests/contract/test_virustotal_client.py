"""The VirusTotal client against the simulator, over real HTTP."""

import bz2
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import stamina
from pydantic import SecretStr

from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.simulator import DEFAULT_KEY
from shared.contracts.outcomes import TransientError
from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.errors import (
    KeyRefused,
    NotAvailableYet,
    NotLicensed,
    PackageMissing,
    RequestRefused,
)
from tests.support.simulator import Running

MINUTE = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=90)


class RotatingKey:
    """A key as from Secret Manager: after a refusal there may be a newer one."""

    def __init__(self, *keys: str) -> None:
        self.keys = [SecretStr(key) for key in keys]

    def read(self) -> SecretStr:
        """Return the present key."""
        return self.keys[0]

    def refused(self, key: SecretStr) -> bool:
        """Switch to the next key if there is one."""
        if key == self.keys[0] and len(self.keys) > 1:
            self.keys.pop(0)
        return key != self.keys[0]


@pytest.fixture(autouse=True)
def _quick_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def client(vt: Running, key: str = DEFAULT_KEY) -> VirusTotal:
    """Return a client of the simulator."""
    return VirusTotal(api_url=f"{vt.url}/api/v3", key=FixedKey(SecretStr(key)))


def fetch(source: VirusTotal, minute: datetime = MINUTE, feed: str = "domains") -> bytes:
    """Read a whole package."""
    with source.package(feed, minute) as package:
        return b"".join(package.chunks())


def test_a_package_comes_through_a_redirect_without_the_key(vt: Running) -> None:
    """The client returns the source's bytes, and the redirect's host never receives the key."""
    assert bz2.decompress(fetch(client(vt))) == vt.control.truth("domains", MINUTE)
    stats = vt.control.stats()
    assert stats.keys_at_download_port == 0
    assert "authorization" not in stats.last_headers["download"]
    assert stats.last_headers["api"]["x-tool"] == "gti-mesh"


@pytest.mark.parametrize("kind", ["direct", "redirect_same_host"])
def test_other_ways_to_the_body_are_taken(vt: Running, kind: str) -> None:
    """A 200 with the body, and a redirect to the same host, work as well."""
    vt.control.set_faults({"kind": kind})
    assert bz2.decompress(fetch(client(vt))) == vt.control.truth("domains", MINUTE)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("journey", [None, {"kind": "reset", "times": 1}, {"kind": "short", "times": 2}])
def test_a_coding_that_nobody_asked_for_is_undone(vt: Running, coding: str, journey: dict[str, object] | None) -> None:
    """A content coding that was not requested is decoded, also across a broken connection."""
    vt.control.set_faults({"kind": "content_encoding", "coding": coding}, *([journey] if journey else []))
    assert bz2.decompress(fetch(client(vt))) == vt.control.truth("domains", MINUTE)
    assert vt.control.stats().last_headers["api"]["accept-encoding"] == "identity"


def test_a_redirect_loop_ends(vt: Running) -> None:
    """The client gives up after a few redirects."""
    vt.control.set_faults({"kind": "redirect_loop"})
    with pytest.raises(TransientError, match="redirects"):
        fetch(client(vt))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("unauthorized", KeyRefused),
        ("forbidden", NotLicensed),
        ("missing", PackageMissing),
        ("bad_request", RequestRefused),
        ("rate_limited", TransientError),
        ("rate_limited_html", TransientError),
        ("unavailable", TransientError),
        ("deadline", TransientError),
        ("not_json_error", TransientError),
    ],
)
def test_each_answer_has_its_meaning(vt: Running, kind: str, error: type[Exception]) -> None:
    """A lasting error is raised as its kind, and its text never contains the key."""
    vt.control.set_faults({"kind": kind})
    with pytest.raises(error) as caught:
        fetch(client(vt))
    assert DEFAULT_KEY not in str(caught.value)


@pytest.mark.parametrize("kind", ["unavailable", "deadline", "rate_limited", "rate_limited_html", "not_json_error"])
def test_trouble_that_heals_is_waited_out(vt: Running, kind: str) -> None:
    """Two errors in a row are retried within the call."""
    vt.control.set_faults({"kind": kind, "times": 2})
    assert fetch(client(vt))
    assert sum(vt.control.stats().requested("domains", package_name(MINUTE)).values()) == 3


@pytest.mark.parametrize("kind", ["forbidden", "missing", "bad_request", "unauthorized"])
def test_what_cannot_heal_is_asked_once(vt: Running, kind: str) -> None:
    """A 4xx status other than 429 is not retried within the call."""
    vt.control.set_faults({"kind": kind})
    with pytest.raises(Exception, match="VirusTotal answered"):
        fetch(client(vt))
    assert sum(vt.control.stats().requested("domains", package_name(MINUTE)).values()) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_short_retry_after_is_honoured(vt: Running, form: str) -> None:
    """The client waits as long as Retry-After asks, in seconds or as a date."""
    vt.control.set_faults({"kind": "rate_limited", "times": 1, "retry_after": 2, "retry_after_form": form})
    began = time.monotonic()
    with stamina.set_testing(False):
        assert fetch(client(vt))
    assert time.monotonic() - began >= 0.9


def test_a_long_retry_after_is_left_to_pubsub(vt: Running) -> None:
    """A Retry-After of minutes is left to Pub/Sub, since waiting inside a push would occupy an instance."""
    vt.control.set_faults({"kind": "rate_limited", "retry_after": 300})
    with pytest.raises(TransientError) as caught:
        fetch(client(vt))
    assert caught.value.retry_after == 300
    assert sum(vt.control.stats().requested("domains", package_name(MINUTE)).values()) == 1


def test_too_early_and_too_old_are_told_apart(vt: Running) -> None:
    """A 404 within the availability delay means not yet published, and later means missing."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    with pytest.raises(NotAvailableYet):
        fetch(client(vt), now - timedelta(minutes=30))
    with pytest.raises(PackageMissing):
        fetch(client(vt), now - timedelta(days=8))


def test_a_rotated_key_is_taken_up_without_a_failed_minute(vt: Running) -> None:
    """After a 401 the client reads the secret again.

    A new key is used in the same call, an unchanged one is an error.
    """
    vt.control.accept_keys("new-key")
    rotating = VirusTotal(api_url=f"{vt.url}/api/v3", key=RotatingKey("old-key", "new-key"))
    assert fetch(rotating)
    with pytest.raises(KeyRefused, match="check VT_API_KEY"):
        fetch(client(vt, "old-key"))


@pytest.mark.parametrize("kind", ["reset", "short"])
def test_a_body_that_breaks_off_is_trouble_at_the_source(vt: Running, kind: str) -> None:
    """A reset connection, or fewer bytes than the Content-Length, raises instead of ending the body."""
    vt.control.set_faults({"kind": kind})
    with pytest.raises(TransientError, match="broke while reading"):
        fetch(client(vt))


def test_a_source_that_does_not_answer_is_trouble() -> None:
    """An unreachable address is retryable, and the text contains neither key nor address."""
    nobody = VirusTotal(api_url="http://127.0.0.1:9/api/v3", key=FixedKey(SecretStr("k3y")))
    with pytest.raises(TransientError, match="ConnectionError") as caught:
        fetch(nobody)
    assert "k3y" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_every_feed_is_read_under_its_own_path(vt: Running) -> None:
    """Every feed is read under its own path and has lines."""
    for feed in ("domains", "files", "urls", "ip_addresses", "file-behaviours"):
        assert bz2.decompress(fetch(client(vt), feed=feed)) == vt.control.truth(feed, MINUTE)


def test_two_threads_never_share_a_session(vt: Running) -> None:
    """Concurrent downloads use separate connections, and every package is complete."""
    source = client(vt)
    minutes = [MINUTE - timedelta(minutes=back) for back in range(8)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        packages = list(pool.map(lambda minute: fetch(source, minute), minutes))
    for minute, package in zip(minutes, packages, strict=True):
        assert bz2.decompress(package) == vt.control.truth("domains", minute)
