"""The downloader as functions-framework serves it."""

import bz2
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import stamina
from flask.testing import FlaskClient

from infra.endpoints import Endpoints
from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.simulator import DEFAULT_KEY
from shared.contracts.manifests import read_manifest
from shared.contracts.minutes import format_minute, manifest_name
from shared.gcp.storage import StorageBucket, storage_client
from shared.operations.feed_conditions import FeedConditions
from shared.streams.page_log import PageLog
from tests.support.pages import page_head
from tests.support.simulator import Running
from tests.support.streams import notification
from tests.wire.conftest import TRACEPARENT, Open, Pull, envelope

MINUTE = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=3)
REQUEST = {"feed": "domains", "minute": format_minute(MINUTE)}


@pytest.fixture
def bucket(wired: Endpoints) -> StorageBucket:
    """Return the landing bucket."""
    return StorageBucket(wired.bucket, storage_client(wired.project, wired.storage))


def new_bucket(wired: Endpoints) -> StorageBucket:
    """Return a bucket of its own."""
    client = storage_client(wired.project, wired.storage)
    name = f"test-{uuid4().hex}"
    client.create_bucket(name)  # type: ignore[no-untyped-call]
    return StorageBucket(name, client)


@pytest.fixture
def service(
    open_service: Open, bucket: StorageBucket, vt: Running, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """Return the downloader's client, with a bucket in which the minute has not landed."""
    monkeypatch.setenv("VT_API_URL", f"{vt.url}/api/v3")
    monkeypatch.setenv("VT_API_KEY", DEFAULT_KEY)
    bucket.delete(manifest_name("domains", MINUTE))
    yield open_service("downloader", "download")
    bucket.delete(manifest_name("domains", MINUTE))


def test_a_push_lands_a_minute(service: FlaskClient, bucket: StorageBucket, pull: Pull) -> None:
    """The response is 204, and the manifest is in the bucket and published with feed, minute and request trace."""
    answer = service.post("/", json=envelope(REQUEST, traceparent=TRACEPARENT))
    assert (answer.status_code, answer.data) == (204, b"")
    manifest = bucket.read(manifest_name("domains", MINUTE))
    assert manifest
    [event] = pull("minutes-landed")
    assert event["body"]["lines"] == 6
    assert event["attributes"] == {**REQUEST, "traceparent": TRACEPARENT}
    again = service.post("/", json=envelope(REQUEST, attempt=2, traceparent=TRACEPARENT))
    assert again.status_code == 204
    assert pull("minutes-landed") == [event]


def test_a_push_lands_an_hour_of_threat_lists(
    open_service: Open, bucket: StorageBucket, vt: Running, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all lists, from the simulator; a minute inside the hour is a dead letter with the right one."""
    monkeypatch.setenv("VT_API_URL", f"{vt.url}/api/v3")
    monkeypatch.setenv("VT_API_KEY", DEFAULT_KEY)
    monkeypatch.setenv("FEEDS", "threat_lists")
    service = open_service("downloader", "download")
    hour = MINUTE.replace(minute=0)
    bucket.delete(manifest_name("threat_lists", hour))
    request = {"feed": "threat_lists", "minute": format_minute(hour)}
    assert service.post("/", json=envelope(request)).status_code == 204
    landed = read_manifest(bucket, "threat_lists", hour)
    assert landed
    assert (landed.lines, landed.rejected) == (14 * 6, 0)
    [event] = pull("minutes-landed")
    assert (event["attributes"]["feed"], event["body"]["uri"]) == ("threat_lists", landed.uri)
    inside = {**request, "minute": format_minute(hour + timedelta(minutes=10))}
    assert service.post("/", json=envelope(inside)).status_code == 204
    [dead] = pull("feed-minutes-dead")
    assert f"ask for {format_minute(hour)}" in dead["attributes"]["reason"]


def test_a_push_lands_an_hour_of_a_stream(
    open_service: Open, wired: Endpoints, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the log of pages in the bucket, without VirusTotal and a key; an hour that is not over does not land."""
    bucket = new_bucket(wired)
    monkeypatch.setenv("LANDING_BUCKET", bucket.name)
    monkeypatch.setenv("FEEDS", "")
    monkeypatch.setenv("STREAMS_TO_BIGQUERY", "ioc_stream")
    hour = MINUTE.replace(minute=0)
    log = PageLog(bucket, "ioc_stream")
    for sequence, landed_at in enumerate((hour - timedelta(minutes=1), hour, hour + timedelta(minutes=30)), 1):
        items = [json.dumps(notification(10 * sequence + number, hour)).encode() for number in range(2)]
        assert log.append(page_head(sequence, landed_at), items)
    service = open_service("downloader", "download")
    request = {"feed": "ioc_stream", "minute": format_minute(hour)}
    assert service.post("/", json=envelope(request)).status_code == 204
    landed = read_manifest(bucket, "ioc_stream", hour)
    assert landed
    assert (landed.lines, landed.rejected) == (4, 0)
    [event] = pull("minutes-landed")
    assert (event["attributes"]["feed"], event["body"]["uri"]) == ("ioc_stream", landed.uri)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    assert service.post("/", json=envelope({**request, "minute": format_minute(now)})).status_code == 204
    assert read_manifest(bucket, "ioc_stream", now) is None
    assert not pull("minutes-landed")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "cannot be read"),
        (b"", "has no body"),
        ({"feed": "domain", "minute": format_minute(MINUTE)}, "feed 'domain' is not switched on"),
        ({"feed": "domains", "minute": "2026-11-21T14:10:30Z"}, "not a whole UTC minute"),
        ({"feed": "domains", "minute": "2099-01-01T00:00Z"}, "is in the future"),
        ({"feed": "domains", "minute": "2020-01-01T00:00Z"}, "older than the 7 days"),
    ],
)
def test_poison_is_recorded_with_its_reason(service: FlaskClient, pull: Pull, body: object, reason: str) -> None:
    """Poison gets 204, so that Pub/Sub stops, and a dead letter that has the body and the reason."""
    assert service.post("/", json=envelope(body, attempt=3, feed="domains")).status_code == 204
    [dead] = pull("feed-minutes-dead")
    assert reason in dead["attributes"]["reason"]
    assert dead["attributes"]["CloudPubSubDeadLetterSourceDeliveryCount"] == "3"
    assert dead["body"] == body
    assert not pull("minutes-landed")


@pytest.mark.parametrize("kind", ["unauthorized", "cut", "corrupt", "mostly_bad", "gzip_body", "html_body"])
def test_trouble_is_nacked_and_heals(
    service: FlaskClient, bucket: StorageBucket, vt: Running, pull: Pull, kind: str
) -> None:
    """While the source fails the response is 500 and nothing lands; the redelivery lands the minute."""
    lines = 30
    body = vt.control.truth("domains", MINUTE).splitlines(keepends=True) * (lines // 6)
    if kind == "mostly_bad":
        vt.control.give_package("domains", MINUTE, bz2.compress(b"".join(body[:-8]) + b"bad\n" * 8))
    else:
        vt.control.set_faults({"kind": kind, "minute": package_name(MINUTE)})
    assert service.post("/", json=envelope(REQUEST)).status_code == 500
    assert bucket.read(manifest_name("domains", MINUTE)) is None
    assert not pull("minutes-landed")
    vt.control.reset()
    assert service.post("/", json=envelope(REQUEST)).status_code == 204
    assert len(pull("minutes-landed")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "byte_order_mark"},
        {"kind": "trailing_padding", "count": 512},
        {"kind": "content_encoding", "coding": "gzip"},
        {"kind": "content_encoding", "coding": "deflate"},
        *({"kind": "big_line", "size": 10_000_000, "of": of} for of in ("string", "array", "numbers")),
    ],
)
def test_what_is_odd_but_whole_lands(
    service: FlaskClient, bucket: StorageBucket, vt: Running, fault: dict[str, object]
) -> None:
    """A byte order mark, padding, an unrequested coding and lines of 10 MB lose no line."""
    vt.control.set_faults(fault)
    assert service.post("/", json=envelope(REQUEST)).status_code == 204
    landed = read_manifest(bucket, "domains", MINUTE)
    assert landed
    assert (landed.lines, landed.rejected) == (6, 0)
    data = bucket.read(landed.uri.removeprefix(bucket.uri("")))
    assert data
    rows = gzip.decompress(data.data).splitlines()
    truth = vt.control.truth("domains", MINUTE).splitlines()
    assert [row.partition(b',"object":')[2] for row in rows] == [line + b"}" for line in truth]


LATE = MINUTE - timedelta(hours=6)
# Each for a minute whose absence would be believed: what happens to it, and whether the first push is acked.
STRAY_ANSWERS = [
    ({"kind": "not_available_yet"}, 204),
    ({"kind": "no_message"}, 204),
    *(({"kind": "storage_error", "status": status}, 500) for status in (400, 401, 403, 404, 408, 410, 412, 500)),
    *(({"kind": "proxy", "status": status}, 500) for status in (400, 401, 403, 404, 408, 425, 429, 499)),
]


@pytest.mark.parametrize(("fault", "status"), STRAY_ANSWERS)
def test_no_stray_answer_costs_a_minute(
    service: FlaskClient, bucket: StorageBucket, vt: Running, pull: Pull, fault: dict[str, object], status: int
) -> None:
    """During the fault nothing lands, becomes a dead letter or absent; the next push after it lands the minute."""
    bucket.delete(manifest_name("domains", LATE))
    request = {"feed": "domains", "minute": format_minute(LATE)}
    vt.control.set_faults({**fault, "minute": package_name(LATE)})
    with stamina.set_testing(True, attempts=2):
        assert service.post("/", json=envelope(request)).status_code == status
    assert not pull("minutes-landed")
    assert not pull("feed-minutes-dead")
    vt.control.reset()
    assert service.post("/", json=envelope(request)).status_code == 204
    assert [event["body"]["event"] for event in pull("minutes-landed")] == ["landed"]


@pytest.mark.parametrize("fault", [fault for fault, status in STRAY_ANSWERS if status == 500])
def test_a_stray_answer_that_comes_once_is_not_even_noticed(
    service: FlaskClient, bucket: StorageBucket, vt: Running, pull: Pull, fault: dict[str, object]
) -> None:
    """After a single unexpected response the API is asked for a new link within the call."""
    bucket.delete(manifest_name("domains", LATE))
    vt.control.set_faults({**fault, "minute": package_name(LATE), "times": 1})
    with stamina.set_testing(True, attempts=2):
        pushed = service.post("/", json=envelope({"feed": "domains", "minute": format_minute(LATE)}))
    assert pushed.status_code == 204
    assert [event["body"]["event"] for event in pull("minutes-landed")] == ["landed"]


def test_a_link_is_asked_for_as_it_was_signed(service: FlaskClient, vt: Running, pull: Pull) -> None:
    """A link is requested with its escapes; the host refuses any other spelling."""
    vt.control.set_faults({"kind": "redirect_encoded"})
    assert service.post("/", json=envelope(REQUEST)).status_code == 204
    assert [event["body"]["event"] for event in pull("minutes-landed")] == ["landed"]


def test_a_feed_that_is_only_off_here_is_acked(service: FlaskClient, vt: Running, pull: Pull) -> None:
    """For a feed that is not switched on here the push is acked, nothing is recorded, and no request is made."""
    assert service.post("/", json=envelope({**REQUEST, "feed": "urls"})).status_code == 204
    assert not pull("feed-minutes-dead")
    assert not vt.control.stats().requested("urls", package_name(MINUTE))


def test_no_licence_is_a_condition_of_the_feed(
    service: FlaskClient, vt: Running, pull: Pull, bucket: StorageBucket
) -> None:
    """A 403 is acked and recorded in the bucket with the source's message, until a package is allowed again."""
    conditions = FeedConditions(bucket)
    vt.control.set_faults({"kind": "forbidden"})
    assert service.post("/", json=envelope(REQUEST)).status_code == 204
    assert not pull("feed-minutes-dead")
    found = conditions.read("domains")
    assert found
    assert "403 ForbiddenError" in found.reason
    vt.control.reset()
    assert service.post("/", json=envelope(REQUEST)).status_code == 204
    assert conditions.read("domains") is None


def test_a_minute_not_out_yet_is_acked_and_left_to_the_sweep(service: FlaskClient, pull: Pull) -> None:
    """A minute that is not yet published gets 204 and is not published on any topic."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=20)
    request = {"feed": "domains", "minute": format_minute(minute)}
    assert service.post("/", json=envelope(request)).status_code == 204
    assert not pull("minutes-landed")
    assert not pull("feed-minutes-dead")


@pytest.mark.parametrize("body", [{}, [], {"message": {}}, {"minute": "x"}])
def test_what_is_no_push_is_refused(service: FlaskClient, body: object) -> None:
    """A body that is not a push gets 400 with the reason."""
    answer = service.post("/", json=body)
    assert answer.status_code == 400
    assert b"not a Pub/Sub push" in answer.data


def test_a_missing_bucket_is_nacked(
    open_service: Open, vt: Running, monkeypatch: pytest.MonkeyPatch, pull: Pull
) -> None:
    """Without a bucket the push is nacked: an operator can still create it, so the minute is not given up."""
    monkeypatch.setenv("VT_API_URL", f"{vt.url}/api/v3")
    monkeypatch.setenv("VT_API_KEY", DEFAULT_KEY)
    monkeypatch.setenv("LANDING_BUCKET", "no-such-bucket")
    assert open_service("downloader", "download").post("/", json=envelope(REQUEST)).status_code == 500
    assert not pull("feed-minutes-dead")


@pytest.mark.usefixtures("wired")
def test_a_wrong_setting_stops_the_start(open_service: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a wrong setting the process ends with one line that names it."""
    monkeypatch.delenv("VT_API_KEY", raising=False)
    with pytest.raises(SystemExit, match="wrong settings: no API key: set VT_API_KEY"):
        open_service("downloader", "download")
