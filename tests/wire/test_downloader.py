"""The downloader as functions-framework serves it."""

import bz2
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from infra.local.endpoints import Endpoints
from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.simulator import DEFAULT_KEY
from shared.gcp.storage import StorageBucket, storage_client
from shared.minutes import format_minute, manifest_name
from tests.simulator import Running
from tests.wire.conftest import TRACEPARENT, Open, Pull, envelope

MINUTE = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=3)
REQUEST = {"feed": "domains", "minute": format_minute(MINUTE)}


@pytest.fixture
def bucket(wired: Endpoints) -> StorageBucket:
    """Return the landing bucket."""
    return StorageBucket(wired.bucket, storage_client(wired.project, wired.storage))


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
    """204, a manifest in the bucket, and the same as an event with feed, minute and the request's trace."""
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


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "cannot be read"),
        (b"", "has no body"),
        ({"feed": "domain", "minute": format_minute(MINUTE)}, "feed 'domain' is not switched on"),
        ({"feed": "domains", "minute": "2026-11-21T14:10:30Z"}, "not a whole UTC minute"),
        ({"feed": "domains", "minute": "2099-01-01T00:00Z"}, "lies in the future"),
        ({"feed": "domains", "minute": "2020-01-01T00:00Z"}, "older than the 7 days"),
    ],
)
def test_poison_is_recorded_with_its_reason(service: FlaskClient, pull: Pull, body: object, reason: str) -> None:
    """204, so that Pub/Sub stops, and a dead letter that keeps the body and says why."""
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
    """500 and nothing landed while the source is in trouble; the redelivery lands the minute."""
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


def test_no_licence_is_poison(service: FlaskClient, vt: Running, pull: Pull) -> None:
    """403 goes to the dead letters with the source's words."""
    vt.control.set_faults({"kind": "forbidden"})
    assert service.post("/", json=envelope(REQUEST)).status_code == 204
    [dead] = pull("feed-minutes-dead")
    assert "403 ForbiddenError" in dead["attributes"]["reason"]


def test_a_minute_not_out_yet_is_acked_and_left_to_the_sweep(service: FlaskClient, pull: Pull) -> None:
    """204, and no topic gets anything."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=20)
    request = {"feed": "domains", "minute": format_minute(minute)}
    assert service.post("/", json=envelope(request)).status_code == 204
    assert not pull("minutes-landed")
    assert not pull("feed-minutes-dead")


@pytest.mark.parametrize("body", [{}, [], {"message": {}}, {"minute": "x"}])
def test_what_is_no_push_is_refused(service: FlaskClient, body: object) -> None:
    """400 with the reason, and no crash."""
    answer = service.post("/", json=body)
    assert answer.status_code == 400
    assert b"not a Pub/Sub push" in answer.data


def test_a_missing_bucket_is_nacked(
    open_service: Open, vt: Running, monkeypatch: pytest.MonkeyPatch, pull: Pull
) -> None:
    """An operator can still make the bucket, so the minute is not given up."""
    monkeypatch.setenv("VT_API_URL", f"{vt.url}/api/v3")
    monkeypatch.setenv("VT_API_KEY", DEFAULT_KEY)
    monkeypatch.setenv("LANDING_BUCKET", "no-such-bucket")
    assert open_service("downloader", "download").post("/", json=envelope(REQUEST)).status_code == 500
    assert not pull("feed-minutes-dead")


@pytest.mark.usefixtures("wired")
def test_a_wrong_setting_stops_the_start(open_service: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends with one line that names the setting."""
    monkeypatch.delenv("VT_API_KEY", raising=False)
    with pytest.raises(SystemExit, match="wrong settings: no API key: set VT_API_KEY"):
        open_service("downloader", "download")
