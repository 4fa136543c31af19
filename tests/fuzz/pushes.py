"""Pushes and their messages: nothing is acked that was not done."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from flask import Request
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from services.downloader.bzip2.libbz2 import decompress
from services.downloader.download import Downloader
from services.downloader.spool import Spools
from services.loader.attempts import Attempts
from services.loader.dead import DeadLetters
from services.loader.load import Loader
from services.loader.rate_limit import RateLimit
from shared.contracts.messages import (
    FEED_MINUTES,
    IOC_PAGES,
    MINUTES_LANDED,
    IocPageLanded,
    MinuteLanded,
    dead_letter_topic,
    ioc_page_landed,
    landing_event,
    minute_requested,
)
from shared.contracts.minutes import manifest_name
from shared.contracts.outcomes import Poison
from shared.contracts.push_envelope import Delivery, read_message
from shared.feeds.definition import find_feed
from shared.runtime.push import answer_push
from tests.fuzz.malformed import malformed_json
from tests.fuzz.target import Target
from tests.support.doubles import NOON, Body, Clock, Lists, feed_lines, package_of
from tests.support.landed import domain, land
from tests.support.memory import MemoryBucket, MemoryLedger, MemoryPublisher
from tests.support.staging import MemoryStaging
from tests.support.streams import ForwarderHarness

MINUTE = NOON - timedelta(hours=2)
DOMAINS = find_feed("domains")
_PACKAGE = package_of(feed_lines(2))
Json = dict[str, object]


def envelope(data: bytes, **attributes: str) -> Json:
    """Return a push as Pub/Sub sends it."""
    return {
        "message": {"data": base64.b64encode(data).decode(), "attributes": attributes, "messageId": "17"},
        "subscription": "projects/p/subscriptions/s",
        "deliveryAttempt": 3,
    }


def push(body: bytes, work: Callable[[Delivery], None], topic: str, publisher: MemoryPublisher) -> int:
    """Push a body and return the response's status."""
    environment = EnvironBuilder(method="POST", data=body, content_type="application/json").get_environ()
    return answer_push(Request(environment), work, topic=topic, publisher=lambda: publisher)[1]


def push_message(data: bytes, work: Callable[[Delivery], None], topic: str) -> tuple[int, MemoryPublisher]:
    """Push a message and return the status and the published messages."""
    publisher = MemoryPublisher()
    return push(json.dumps(envelope(data)).encode(), work, topic, publisher), publisher


_STATUSES = {"returned": 204, "poison": 204, "raised": 500}


def check_envelope(given: tuple[bytes, str]) -> str:
    """Compare the response with the work: an ack if done or given up with a reason, an error if it is not a push."""
    body, outcome = given
    done: list[Delivery] = []

    def work(delivery: Delivery) -> None:
        done.append(delivery)
        if outcome == "poison":
            raise Poison("request_refused", "never")
        if outcome == "raised":
            raise RuntimeError

    publisher = MemoryPublisher()
    status = push(body, work, FEED_MINUTES, publisher)
    assert status == (_STATUSES[outcome] if done else 400)
    assert bool(publisher.published[dead_letter_topic(FEED_MINUTES)]) == (outcome == "poison" and bool(done))
    return outcome if done else "no push"


class _EveryMinute:
    """A source that has a package for every minute."""

    @contextmanager
    def package(self, feed_path: str, minute: datetime) -> Iterator[Body]:
        """Open a package."""
        del feed_path, minute
        yield Body(_PACKAGE, 1000)


def check_request(data: bytes) -> str:
    """An acked request has landed and is published, or is a dead letter."""
    bucket, publisher = MemoryBucket(), MemoryPublisher()
    downloader = Downloader(
        source=_EveryMinute(),
        lists=Lists(),
        bucket=bucket,
        publisher=publisher,
        spools=Spools(2**28),
        unpack=decompress,
        feeds=[DOMAINS],
        now=Clock(),
        deadline=timedelta(seconds=60),
    )
    status, dead = push_message(
        data, lambda delivery: downloader.handle(read_message(minute_requested, delivery)), FEED_MINUTES
    )
    assert status == 204, "nothing is wrong with the world, so nothing is worth another try"
    if dead.published[dead_letter_topic(FEED_MINUTES)]:
        assert not bucket.objects
        return "dead letter"
    [landed] = [MinuteLanded.model_validate_json(one.body) for one in publisher.published[MINUTES_LANDED]]
    assert bucket.objects[manifest_name(landed.feed, landed.minute)].data == landed.body
    assert set(bucket.objects) == {manifest_name("domains", landed.minute), landed.uri.removeprefix("gs://landing/")}
    return "landed"


def _landed() -> tuple[MemoryBucket, MinuteLanded]:
    bucket = MemoryBucket()
    return bucket, land(bucket, DOMAINS, MINUTE, [domain("a.example"), domain("b.example")])


_BUCKET, _LANDED = _landed()


def check_landing(data: bytes) -> str:
    """An acked landing is in staging and in the ledger, or is a dead letter; only its own object is loaded."""
    ledger, staging = MemoryLedger(), MemoryStaging(_BUCKET)
    loader = Loader(
        bucket=_BUCKET,
        attempts=Attempts(
            staging=staging,
            bucket=_BUCKET,
            now=Clock(),
            deadline=timedelta(minutes=8),
            pace=RateLimit(1000, now=Clock(), pause=lambda _: None),
        ),
        staging=staging,
        ledger=ledger,
        feeds=[DOMAINS],
        now=Clock(),
    )
    status, dead = push_message(
        data, lambda delivery: loader.handle(read_message(landing_event, delivery)), MINUTES_LANDED
    )
    events = [row.event for row in ledger.rows]
    assert not staging.rows or {row["feed_minute"] for _, row in staging.rows} == {MINUTE}
    if status == 500:
        assert "loaded" not in events
        return "once more"
    if dead.published[dead_letter_topic(MINUTES_LANDED)]:
        assert "loaded" not in events
        return "dead letter"
    assert events[-1] in ("loaded", "merged", "absent")
    return events[-1]


def check_dead_letter(body: bytes) -> str:
    """Any dead letter is recorded; a dead letter must not become one again."""
    ledger = MemoryLedger()
    letters = DeadLetters(ledger=ledger, now=Clock())
    status = push(body, letters.record, FEED_MINUTES, MemoryPublisher())
    assert (status, [row.event for row in ledger.rows]) in ((204, ["dead"]), (400, []))
    return "recorded" if status == 204 else "no push"


def _paged() -> tuple[MemoryBucket, IocPageLanded]:
    harness = ForwarderHarness()
    harness.source.add(*(NOON - timedelta(seconds=seconds) for seconds in range(3)))
    harness.poll()
    return harness.bucket, harness.messages()[0]


_PAGES, _PAGE = _paged()


def check_page(data: bytes) -> str:
    """Every item of an acked page is at SecOps or is a dead letter."""
    harness = ForwarderHarness()
    for name, stored in _PAGES.objects.items():
        harness.bucket.create(name, stored.data)
    importer = harness.importer()
    status, dead = push_message(
        data, lambda delivery: importer.handle(read_message(ioc_page_landed, delivery)), IOC_PAGES
    )
    if dead.published[dead_letter_topic(IOC_PAGES)]:
        assert not harness.secops.bodies
        return "dead letter"
    assert (status == 204) == (sum(harness.secops.ids().values()) == _PAGE.items)
    return "delivered" if status == 204 else "once more"


_REQUEST = {"feed": "domains", "minute": "2026-11-21T10:00:00Z", "reason": "sweep", "force": False}
_ABSENT = {"event": "absent", "feed": "domains", "minute": "2026-11-21T10:00:00Z", "checked_at": "2026-11-21T11:00:00Z"}
_DEAD = {
    "feed": "domains",
    "minute": "2026-11-21T10:00:00Z",
    "reason": "why",
    "CloudPubSubDeadLetterSourceSubscription": "downloader",
    "CloudPubSubDeadLetterSourceDeliveryCount": "5",
    "source_message_id": "4",
}

TARGETS = (
    Target(
        "push envelopes",
        st.tuples(malformed_json(envelope(b"12", feed="domains")), st.sampled_from(sorted(_STATUSES))),
        check_envelope,
    ),
    Target("minute requests", malformed_json(_REQUEST), check_request),
    Target("landings", malformed_json(json.loads(_LANDED.body)), check_landing),
    Target("absences", malformed_json(_ABSENT), check_landing),
    Target("dead letters", malformed_json(envelope(json.dumps(_REQUEST).encode(), **_DEAD)), check_dead_letter),
    Target("page messages", malformed_json(json.loads(_PAGE.body)), check_page),
)
