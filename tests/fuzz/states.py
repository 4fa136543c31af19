"""Corrupt objects of the bucket are read, or refused with the object's name and what to do."""

import json
from datetime import timedelta

from services.planner.plan import Planner
from services.planner.sweep import Sweeper
from shared.contracts.manifests import read_manifest
from shared.contracts.messages import FEED_MINUTES
from shared.contracts.minutes import HORIZON, ONE_MINUTE, manifest_name
from shared.contracts.outcomes import MeshError, Misconfigured
from shared.operations.planner_state import PlanState, PlanStateStore
from shared.streams.delivery_progress import Delivery, find_delivery
from shared.streams.page_log import PublishedStore, read_page
from tests.fuzz.malformed import malformed_json
from tests.fuzz.pushes import _LANDED, _PAGES, MINUTE
from tests.fuzz.target import Target
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket, MemoryHistory, MemoryLedger, MemoryPublisher
from tests.support.streams import ForwarderHarness

_STATE = "state/planner/domains.json"
# Seven days of minutes, asked for by the planner and once more by the sweep.
_MAX_ASKED = 2 * (HORIZON // ONE_MINUTE)


def check_plan_state(data: bytes) -> str:
    """Planner and sweep continue from any state or name the object, and never request minutes that do not exist."""
    bucket, publisher = MemoryBucket(), MemoryPublisher()
    bucket.create(_STATE, data)
    ledger, store = MemoryLedger(), PlanStateStore(bucket)
    planner = Planner(
        store=store,
        bucket=bucket,
        publisher=publisher,
        ledger=lambda: ledger,
        now=Clock(),
        plan_back=timedelta(),
    )
    sweeper = Sweeper(
        store=store, bucket=bucket, publisher=publisher, ledger=lambda: ledger, history=MemoryHistory, now=Clock()
    )
    try:
        planner.plan("domains")
        sweeper.sweep("domains", until=Clock()() + timedelta(minutes=1))
    except Misconfigured as error:
        assert _STATE in str(error)
        return "refused"
    assert len(publisher.published[FEED_MINUTES]) <= _MAX_ASKED
    return "planned"


def check_manifest(data: bytes) -> str:
    """A manifest belongs to the minute, or is refused by name."""
    bucket = MemoryBucket()
    bucket.create(manifest_name("domains", MINUTE), data)
    try:
        landed = read_manifest(bucket, "domains", MINUTE)
    except Misconfigured as error:
        assert manifest_name("domains", MINUTE) in str(error)
        return "refused"
    assert landed
    assert (landed.feed, landed.minute) == ("domains", MINUTE)
    return "read"


def check_delivery(data: bytes) -> str:
    """A delivery object is read, or refused by name."""
    bucket = MemoryBucket()
    bucket.create("x.delivery.json", data)
    try:
        find_delivery(bucket, "x.json")
    except Misconfigured as error:
        assert "gs://landing/x.delivery.json" in str(error)
        return "refused"
    return "read"


def check_page(data: bytes) -> str:
    """A page of the log is read, or refused by name; a poll that reads it continues or reports it."""
    try:
        read_page(data, "gs://landing/x.json")
    except MeshError as error:
        assert "gs://landing/x.json" in str(error)
        return "refused"
    harness = ForwarderHarness()
    harness.bucket.create("streams/ioc_stream/pages/0000000001.json", data)
    try:
        harness.poll()
    except MeshError as error:
        return type(error).__name__
    return "went on"


def check_hint(data: bytes) -> str:
    """The hint about the log's end is read, or refused by name."""
    bucket = MemoryBucket()
    bucket.create("state/streams/ioc_stream.json", data)
    try:
        PublishedStore(bucket, "ioc_stream").read()
    except Misconfigured as error:
        assert "state/streams/ioc_stream.json" in str(error)
        return "refused"
    return "read"


_PLANNED = json.loads(PlanState(first=MINUTE, watermark=MINUTE).model_dump_json()) | {
    "asked": [{"minute": "2026-11-21T10:00:00Z", "times": 2, "last": "2026-11-21T11:00:00Z"}],
    "retried": ["2026-11-21T10:00:00Z"],
}
_DELIVERY = json.loads(Delivery(items=3, holder="x", held_until=NOON).model_dump_json())
_PAGE = json.loads(next(stored.data for name, stored in _PAGES.objects.items() if "/pages/" in name))

TARGETS = (
    Target("planner states", malformed_json(_PLANNED), check_plan_state),
    Target("manifests", malformed_json(json.loads(_LANDED.body)), check_manifest),
    Target("delivery objects", malformed_json(_DELIVERY), check_delivery),
    Target("pages of the log", malformed_json(_PAGE), check_page),
    Target("hints of the log", malformed_json({"published": 3}), check_hint),
)
