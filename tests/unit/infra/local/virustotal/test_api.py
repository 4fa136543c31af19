"""The VirusTotal simulator's responses, without a network."""

import bz2
import json
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.web import Answer, Request
from tests.support.virustotal import DOWNLOADS, KEY, MINUTE, NOW, SimulatorHarness, code


@pytest.fixture
def harness() -> SimulatorHarness:
    """Return a fresh simulator."""
    return SimulatorHarness()


@pytest.mark.parametrize("feed", ["domains", "files", "urls", "ip_addresses", "file-behaviours", "file_behaviours"])
def test_every_feed_redirects_to_its_body(harness: SimulatorHarness, feed: str) -> None:
    """A package is a 302 to the other port and bzip2 there, under either spelling of the sandbox feed."""
    answer = harness.ask(feed)
    assert answer.status == 302
    assert answer.headers["Location"].startswith(DOWNLOADS)
    body = harness.follow(answer)
    assert body.status == 200
    assert bz2.decompress(body.body) == harness.control("GET", f"truth/{feed}/{MINUTE}").body


def test_a_request_without_a_key_is_told_so(harness: SimulatorHarness) -> None:
    """The text is the documented one."""
    answer = harness.ask(headers={})
    assert code(answer) == (401, "AuthenticationRequiredError")
    assert json.loads(answer.body)["error"]["message"] == "X-Apikey header is missing"


def test_keys_can_be_rotated(harness: SimulatorHarness) -> None:
    """Setting a new key invalidates the old one."""
    assert code(harness.ask(headers={"x-apikey": "new"})) == (401, "WrongCredentialsError")
    harness.control("PUT", "key", {"keys": ["new"]})
    assert harness.ask(headers={"x-apikey": "new"}).status == 302
    assert code(harness.ask()) == (401, "WrongCredentialsError")


@pytest.mark.parametrize("package", ["2026112114", "202611211460", "latest", "20261121141\u0660"])
def test_a_name_that_is_no_minute_is_a_bad_request(harness: SimulatorHarness, package: str) -> None:
    """An invalid package name is a permanent error."""
    assert code(harness.ask(package=package)) == (400, "BadRequestError")


def test_an_unknown_feed_is_not_found(harness: SimulatorHarness) -> None:
    """Only five feeds exist."""
    assert code(harness.ask("hashes")) == (404, "NotFoundError")


def test_a_minute_comes_out_after_an_hour(harness: SimulatorHarness) -> None:
    """T-60 minutes can be fetched, T-59 cannot."""
    assert harness.ask(package="202611211430").status == 302
    assert code(harness.ask(package="202611211431")) == (400, "NotAvailableYet")
    assert code(harness.ask(package="202611220000")) == (400, "NotAvailableYet")


def test_a_minute_is_gone_after_a_week(harness: SimulatorHarness) -> None:
    """Seven days back can be fetched, one minute more cannot."""
    edge = (NOW - timedelta(days=7)).replace(second=0)
    assert harness.ask(package=package_name(edge + timedelta(minutes=1))).status == 302
    assert code(harness.ask(package=package_name(edge))) == (404, "NotFoundError")


def test_a_key_at_the_download_port_is_seen_and_refused_on_request(harness: SimulatorHarness) -> None:
    """VirusTotal's client sends its key to the redirect's host, so the key is refused only on request."""
    answer = harness.ask()
    assert harness.follow(answer).status == 200
    assert harness.stats()["keys_at_download_port"] == 0
    assert harness.follow(answer, headers=KEY).status == 200
    assert harness.stats()["keys_at_download_port"] == 1
    harness.control("PUT", "modes", {"refuse_keys": True})
    assert harness.follow(answer, headers=KEY).status == 400
    assert harness.follow(answer).status == 200
    assert harness.stats()["keys_at_download_port"] == 2


def test_the_key_itself_is_never_shown(harness: SimulatorHarness) -> None:
    """The statistics count keys and never contain them."""
    harness.ask(headers={**KEY, "user-agent": "unit"})
    assert DEFAULT_KEY not in json.dumps(harness.stats())
    assert '"user-agent": "unit"' in json.dumps(harness.stats())


def test_a_forged_path_is_refused(harness: SimulatorHarness) -> None:
    """Only paths that the API has signed lead to a body."""
    location = harness.ask().headers["Location"]
    assert harness.follow(Answer(302, headers={"Location": f"{location[:-1]}!"})).status == 403
    assert harness.follow(Answer(302, headers={"Location": f"{DOWNLOADS}/packages/nonsense"})).status == 403


def test_a_range_gives_these_bytes(harness: SimulatorHarness) -> None:
    """A range is part of the same body."""
    answer = harness.ask()
    body = harness.follow(answer).body
    for wanted, expected in (("0-9", body[:10]), ("100-", body[100:]), ("-7", body[-7:])):
        part = harness.follow(answer, headers={"range": f"bytes={wanted}"})
        assert (part.status, part.body) == (206, expected)
    assert harness.follow(answer, headers={"range": f"bytes={len(body)}-"}).status == 416


def test_ranges_can_be_switched_off(harness: SimulatorHarness) -> None:
    """Without ranges the whole body is served."""
    harness.control("PUT", "modes", {"ranges": False})
    part = harness.follow(harness.ask(), headers={"range": "bytes=0-9"})
    assert part.status == 200
    assert "Accept-Ranges" not in part.headers


def test_the_body_can_come_directly(harness: SimulatorHarness) -> None:
    """In this mode there is no redirect."""
    harness.control("PUT", "modes", {"direct": True})
    answer = harness.ask()
    assert answer.status == 200
    assert bz2.decompress(answer.body) == harness.control("GET", f"truth/domains/{MINUTE}").body


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("unauthorized", 401, "WrongCredentialsError"),
        ("forbidden", 403, "ForbiddenError"),
        ("missing", 404, "NotFoundError"),
        ("rate_limited", 429, "QuotaExceededError"),
        ("unavailable", 503, "TransientError"),
        ("deadline", 504, "DeadlineExceededError"),
        ("bad_request", 400, "InvalidArgumentError"),
    ],
)
def test_faults_answer_as_documented(harness: SimulatorHarness, kind: str, status: int, error: str) -> None:
    """Each fault has its status and code, and ends."""
    harness.faults({"kind": kind, "times": 1})
    assert code(harness.ask()) == (status, error)
    assert harness.ask().status == 302


@pytest.mark.parametrize(("kind", "status"), [("rate_limited_html", 429), ("not_json_error", 500)])
def test_some_faults_answer_in_html(harness: SimulatorHarness, kind: str, status: int) -> None:
    """The front end responds with HTML and without Retry-After."""
    harness.faults({"kind": kind})
    answer = harness.ask()
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Retry-After" not in answer.headers


def test_retry_after_comes_in_both_forms(harness: SimulatorHarness) -> None:
    """Retry-After is in seconds, a date by the simulator's clock, or missing."""
    harness.faults(
        {"kind": "rate_limited", "times": 1},
        {"kind": "rate_limited", "times": 1, "retry_after": 5},
        {"kind": "rate_limited", "times": 1, "retry_after": 5, "retry_after_form": "date"},
    )
    none, seconds, date = (harness.ask().headers.get("Retry-After") for _ in range(3))
    assert none is None
    assert seconds == "5"
    assert parsedate_to_datetime(str(date)) == NOW + timedelta(seconds=5)


def test_a_body_fault_belongs_to_one_fetch(harness: SimulatorHarness) -> None:
    """Every request for one redirect gets the same bytes; the next redirect has no fault."""
    harness.faults({"kind": "multi_stream", "times": 1})
    first, second = harness.ask(), harness.ask()
    assert harness.follow(first).body == harness.follow(first).body != harness.follow(second).body


def test_truth_tells_what_comes_next(harness: SimulatorHarness) -> None:
    """The truth includes due faults without firing them, and can exclude them."""
    harness.faults({"kind": "bad_lines", "times": 1})
    spoilt = harness.control("GET", f"truth/domains/{MINUTE}").body
    assert bz2.decompress(harness.follow(harness.ask()).body) == spoilt
    healed = harness.control("GET", f"truth/domains/{MINUTE}").body
    assert healed == harness.control("GET", f"truth/domains/{MINUTE}?faults=none").body != spoilt


def test_a_redirect_can_lead_in_circles(harness: SimulatorHarness) -> None:
    """The redirect leads to itself."""
    harness.faults({"kind": "redirect_loop"})
    once = harness.follow(harness.ask())
    assert once.status == 302
    assert harness.follow(once).headers == once.headers


def test_a_redirect_can_stay_on_its_host(harness: SimulatorHarness) -> None:
    """The location is relative, and the API's port serves the body."""
    harness.faults({"kind": "redirect_same_host"})
    location = harness.ask().headers["Location"]
    assert location.startswith("/packages/")
    assert harness.api(Request("GET", location)).status == 200


def test_given_bytes_are_served_as_they_are(harness: SimulatorHarness) -> None:
    """A test can set every byte of a package, and restore the generated one."""
    harness.control("PUT", f"package/domains/{MINUTE}", b"anything at all")
    harness.faults({"kind": "bad_lines"})
    assert harness.follow(harness.ask()).body == b"anything at all"
    assert harness.control("GET", f"truth/domains/{MINUTE}").status == 400
    harness.control("DELETE", f"package/domains/{MINUTE}")
    assert harness.follow(harness.ask()).body.startswith(b"BZh")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "faults", [{"kind": "no_such_fault"}]),
        ("PUT", "faults", b"not JSON"),
        ("PUT", "clock", {"offset": "soon"}),
        ("PUT", "key", {"keys": []}),
        ("PUT", "modes", {"faster": True}),
        ("GET", "truth/no_such_feed/202611211410", None),
        ("PUT", "package/domains/today", b""),
    ],
)
def test_control_refuses_what_it_does_not_understand(
    harness: SimulatorHarness, method: str, path: str, body: object
) -> None:
    """An invalid script is refused when it is sent."""
    answer = harness.control(method, path, body)
    assert answer.status == 400
    assert json.loads(answer.body)["error"]


def test_reset_comes_back_to_the_start(harness: SimulatorHarness) -> None:
    """A reset removes everything that was scripted."""
    harness.control("PUT", "key", {"keys": ["other"]})
    harness.faults({"kind": "missing"})
    harness.ask()
    harness.control("POST", "reset")
    harness.control("PUT", "clock", {"fixed": NOW.isoformat()})
    assert harness.stats()["requests"] == []
    assert harness.ask().status == 302
