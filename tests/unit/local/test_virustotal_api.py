"""What the VirusTotal simulator answers, asked without a network."""

import bz2
import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from infra.local.virustotal.__main__ import responders
from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.simulator import DEFAULT_KEY, Settings
from infra.local.web import Answer, Request

NOW = datetime(2026, 11, 21, 15, 30, 20, tzinfo=UTC)
MINUTE = "202611211410"
DOWNLOADS = "http://127.0.0.1:7777"
KEY = {"x-apikey": DEFAULT_KEY}


class World:
    """Both ports of one simulator, and its clock stopped."""

    def __init__(self) -> None:
        self.api, self.download = responders(Settings(lines=2, download_url=DOWNLOADS))
        self.control("PUT", "clock", {"fixed": NOW.isoformat()})

    def control(self, method: str, path: str, body: object = None) -> Answer:
        """Ask the control endpoint."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        path, _, query = path.partition("?")
        named = dict([query.split("=")]) if query else {}
        return self.api(Request(method, f"/control/{path}", query=named, body=raw))

    def ask(self, feed: str = "domains", package: str = MINUTE, headers: dict[str, str] = KEY) -> Answer:
        """Ask the feeds API for a package."""
        return self.api(Request("GET", f"/api/v3/feeds/{feed}/{package}", headers=headers))

    def follow(self, answer: Answer, headers: dict[str, str] | None = None) -> Answer:
        """Ask the download port for where an answer leads."""
        path = answer.headers["Location"].removeprefix(DOWNLOADS)
        return self.download(Request("GET", path, headers=headers or {}))

    def faults(self, *rules: dict[str, object]) -> None:
        """Put these rules in force."""
        assert self.control("PUT", "faults", rules).status == 200

    def stats(self) -> dict[str, object]:
        """Return what was seen."""
        seen: dict[str, object] = json.loads(self.control("GET", "stats").body)
        return seen


@pytest.fixture
def world() -> World:
    """Return a fresh simulator."""
    return World()


def code(answer: Answer) -> tuple[int, str]:
    """Return status and code of an error."""
    return answer.status, json.loads(answer.body)["error"]["code"]


@pytest.mark.parametrize("feed", ["domains", "files", "urls", "ip_addresses", "file-behaviours", "file_behaviours"])
def test_every_feed_redirects_to_its_body(world: World, feed: str) -> None:
    """A package is a 302 to the other port and bzip2 there, under either spelling of the sandbox feed."""
    answer = world.ask(feed)
    assert answer.status == 302
    assert answer.headers["Location"].startswith(DOWNLOADS)
    body = world.follow(answer)
    assert body.status == 200
    assert bz2.decompress(body.body) == world.control("GET", f"truth/{feed}/{MINUTE}").body


def test_a_request_without_a_key_is_told_so(world: World) -> None:
    """The text is the documented one."""
    answer = world.ask(headers={})
    assert code(answer) == (401, "AuthenticationRequiredError")
    assert json.loads(answer.body)["error"]["message"] == "X-Apikey header is missing"


def test_keys_can_be_rotated(world: World) -> None:
    """A new key ends the old one at once."""
    assert code(world.ask(headers={"x-apikey": "new"})) == (401, "WrongCredentialsError")
    world.control("PUT", "key", {"keys": ["new"]})
    assert world.ask(headers={"x-apikey": "new"}).status == 302
    assert code(world.ask()) == (401, "WrongCredentialsError")


@pytest.mark.parametrize("package", ["2026112114", "202611211460", "latest", "20261121141\u0660"])
def test_a_name_that_is_no_minute_is_a_bad_request(world: World, package: str) -> None:
    """Bad names are permanent errors."""
    assert code(world.ask(package=package)) == (400, "BadRequestError")


def test_an_unknown_feed_is_not_found(world: World) -> None:
    """There are five feeds."""
    assert code(world.ask("hashes")) == (404, "NotFoundError")


def test_a_minute_comes_out_after_an_hour(world: World) -> None:
    """T-60 minutes can be fetched, T-59 cannot."""
    assert world.ask(package="202611211430").status == 302
    assert code(world.ask(package="202611211431")) == (400, "NotAvailableYet")
    assert code(world.ask(package="202611220000")) == (400, "NotAvailableYet")


def test_a_minute_is_gone_after_a_week(world: World) -> None:
    """Seven days back can be fetched, a minute more cannot."""
    edge = (NOW - timedelta(days=7)).replace(second=0)
    assert world.ask(package=package_name(edge + timedelta(minutes=1))).status == 302
    assert code(world.ask(package=package_name(edge))) == (404, "NotFoundError")


def test_a_key_at_the_download_port_is_refused_and_seen(world: World) -> None:
    """The key must stay with the API."""
    answer = world.ask()
    assert world.follow(answer).status == 200
    assert world.stats()["keys_at_download_port"] == 0
    assert world.follow(answer, headers=KEY).status == 400
    assert world.stats()["keys_at_download_port"] == 1


def test_the_key_itself_is_never_shown(world: World) -> None:
    """Statistics say that a key came, not which."""
    world.ask(headers={**KEY, "user-agent": "unit"})
    assert DEFAULT_KEY not in json.dumps(world.stats())
    assert '"user-agent": "unit"' in json.dumps(world.stats())


def test_a_forged_path_is_refused(world: World) -> None:
    """Only paths that the API has signed lead to a body."""
    location = world.ask().headers["Location"]
    assert world.follow(Answer(302, headers={"Location": f"{location[:-1]}!"})).status == 403
    assert world.follow(Answer(302, headers={"Location": f"{DOWNLOADS}/packages/nonsense"})).status == 403


def test_a_range_gives_these_bytes(world: World) -> None:
    """Ranges are cut from the same body."""
    answer = world.ask()
    body = world.follow(answer).body
    for wanted, expected in (("0-9", body[:10]), ("100-", body[100:]), ("-7", body[-7:])):
        part = world.follow(answer, headers={"range": f"bytes={wanted}"})
        assert (part.status, part.body) == (206, expected)
    assert world.follow(answer, headers={"range": f"bytes={len(body)}-"}).status == 416


def test_ranges_can_be_switched_off(world: World) -> None:
    """A server without ranges answers with the whole body."""
    world.control("PUT", "modes", {"ranges": False})
    part = world.follow(world.ask(), headers={"range": "bytes=0-9"})
    assert part.status == 200
    assert "Accept-Ranges" not in part.headers


def test_the_body_can_come_directly(world: World) -> None:
    """In this mode there is no redirect."""
    world.control("PUT", "modes", {"direct": True})
    answer = world.ask()
    assert answer.status == 200
    assert bz2.decompress(answer.body) == world.control("GET", f"truth/domains/{MINUTE}").body


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
def test_faults_answer_as_documented(world: World, kind: str, status: int, error: str) -> None:
    """Each fault has its status and code, and heals."""
    world.faults({"kind": kind, "times": 1})
    assert code(world.ask()) == (status, error)
    assert world.ask().status == 302


@pytest.mark.parametrize(("kind", "status"), [("rate_limited_html", 429), ("not_json_error", 500)])
def test_some_faults_answer_in_html(world: World, kind: str, status: int) -> None:
    """The edge speaks HTML and gives no Retry-After."""
    world.faults({"kind": kind})
    answer = world.ask()
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Retry-After" not in answer.headers


def test_retry_after_comes_in_both_forms(world: World) -> None:
    """Seconds, a date by the simulator's clock, or none."""
    world.faults(
        {"kind": "rate_limited", "times": 1},
        {"kind": "rate_limited", "times": 1, "retry_after": 5},
        {"kind": "rate_limited", "times": 1, "retry_after": 5, "retry_after_form": "date"},
    )
    none, seconds, date = (world.ask().headers.get("Retry-After") for _ in range(3))
    assert none is None
    assert seconds == "5"
    assert parsedate_to_datetime(str(date)) == NOW + timedelta(seconds=5)


def test_a_body_fault_belongs_to_one_fetch(world: World) -> None:
    """Every request for one redirect gets the same bytes; the next redirect has healed."""
    world.faults({"kind": "multi_stream", "times": 1})
    first, second = world.ask(), world.ask()
    assert world.follow(first).body == world.follow(first).body != world.follow(second).body


def test_truth_tells_what_comes_next(world: World) -> None:
    """The truth includes faults that are due, without firing them, and can leave them out."""
    world.faults({"kind": "bad_lines", "times": 1})
    spoilt = world.control("GET", f"truth/domains/{MINUTE}").body
    assert bz2.decompress(world.follow(world.ask()).body) == spoilt
    healed = world.control("GET", f"truth/domains/{MINUTE}").body
    assert healed == world.control("GET", f"truth/domains/{MINUTE}?faults=none").body != spoilt


def test_a_redirect_can_lead_in_circles(world: World) -> None:
    """The loop never ends."""
    world.faults({"kind": "redirect_loop"})
    once = world.follow(world.ask())
    assert once.status == 302
    assert world.follow(once).headers == once.headers


def test_a_redirect_can_stay_on_its_host(world: World) -> None:
    """The location is then relative, and the API's own port gives the body."""
    world.faults({"kind": "redirect_same_host"})
    location = world.ask().headers["Location"]
    assert location.startswith("/packages/")
    assert world.api(Request("GET", location)).status == 200


def test_given_bytes_are_served_as_they_are(world: World) -> None:
    """A test can decide on every byte, and take it back."""
    world.control("PUT", f"package/domains/{MINUTE}", b"anything at all")
    world.faults({"kind": "bad_lines"})
    assert world.follow(world.ask()).body == b"anything at all"
    assert world.control("GET", f"truth/domains/{MINUTE}").status == 400
    world.control("DELETE", f"package/domains/{MINUTE}")
    assert world.follow(world.ask()).body.startswith(b"BZh")


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
def test_control_refuses_what_it_does_not_understand(world: World, method: str, path: str, body: object) -> None:
    """A wrong script fails where it is sent."""
    answer = world.control(method, path, body)
    assert answer.status == 400
    assert json.loads(answer.body)["error"]


def test_reset_comes_back_to_the_start(world: World) -> None:
    """Nothing of a script survives."""
    world.control("PUT", "key", {"keys": ["other"]})
    world.faults({"kind": "missing"})
    world.ask()
    world.control("POST", "reset")
    world.control("PUT", "clock", {"fixed": NOW.isoformat()})
    assert world.stats()["requests"] == []
    assert world.ask().status == 302
