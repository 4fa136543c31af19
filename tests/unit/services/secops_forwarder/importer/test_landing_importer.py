"""Delivering a landed hour of threat lists: line by line under a lease, as a page is delivered."""

import base64
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.topology import read_topology
from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.importer.delivering import LONGEST_DELIVERY
from services.secops_forwarder.importer.errors import DestinationRefused, ImportRefused
from services.secops_forwarder.importer.landing_items import LandingItems
from services.secops_forwarder.importer.sending import TimeSpent
from shared.contracts.messages import MINUTES_LANDED, MinuteAbsent, MinuteLanded
from shared.contracts.minutes import manifest_name
from shared.contracts.outcomes import Poison, TransientError
from shared.operations.feed_conditions import destination_conditions
from shared.streams.delivery_progress import LEASE, LONGEST_IMPORT_SECONDS
from shared.streams.forwarded import ForwardedFeed
from shared.streams.landing_log import landing_message
from tests.support.doubles import NOON
from tests.support.landings import FEED, HOUR, LandingHarness, element, ids, land_hour, line_of
from tests.support.streams import CrashError, CrashSchedule

TWO = Limits(bytes=3_900_000, logs=2)


@pytest.fixture
def harness() -> LandingHarness:
    """Return a harness with nothing landed."""
    return LandingHarness()


def test_a_landing_is_delivered_once_by_whatever_message(harness: LandingHarness) -> None:
    """Its own message, a redelivery, and the message of a page find one delivery."""
    landed = harness.land(5)
    importer = harness.importer(limits=TWO)
    importer.landings.handle(landed)
    importer.landings.handle(landed)
    importer.handle(landing_message(landed))
    assert harness.secops.ids() == ids(5)
    found = harness.delivery(landed)
    assert (found.items, found.done, found.accepted, found.requests, found.dead) == (5, 5, 5, 3, 0)
    assert found.page_crc32c == landed.object_crc32c
    assert not harness.pubsub.published


@pytest.mark.parametrize(
    "sent",
    [
        b'{ "data" : {"type":"domain","id":"a.example","attributes":{"tags":[],"n":1.50}}, "x": null }',
        b'{"data":{"type":"domain","id":"\\u00e4\\"\\\\,\\"object\\":{","attributes":{}}}',
        '{"data":{"type":"url","id":"\u00fc","attributes":{"url":"http://\u00fc/"}}}'.encode(),
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_googles_parser_gets_an_element_byte_for_byte(harness: LandingHarness, sent: bytes, cut: bool) -> None:
    """Whatever SECOPS_CLEAN says; list and feed are in the labels, and the hour is the time of the log."""
    head = b'{"threat_list":"osx",' + (b'"cut":true,' if cut else b"")
    landed = land_hour(harness.bucket, [head + sent[1:] + b"\n"])
    harness.importer().landings.handle(landed)
    [log] = harness.secops.logs()
    assert base64.b64decode(log["data"]) == sent
    assert log["labels"] == {"feed": {"value": "threat_lists"}, "threat_list": {"value": "osx"}}
    assert log["log_entry_time"] == "2026-11-21T09:00:00.000000Z"
    assert log["collection_time"] == "2026-11-21T11:00:00.000000Z"
    assert harness.secops.log_types == {"GCP_THREATINTEL"}


@pytest.mark.parametrize(
    ("clean", "expected"),
    [
        (True, b'{"data":{"id":"host-1.example","type":"domain"},"threat_list":"ransomware"}'),
        (False, line_of(element(1))[:-1]),
    ],
)
def test_a_log_type_of_ones_own_gets_the_list_too(harness: LandingHarness, clean: bool, expected: bytes) -> None:
    """Cleaned, or unchanged, as for streams."""
    harness.feeds, harness.clean = [ForwardedFeed("threat_lists", "GTI_LISTS_CUSTOM")], clean
    harness.importer().landings.handle(land_hour(harness.bucket, [line_of(element(1))]))
    [log] = harness.secops.logs()
    assert base64.b64decode(log["data"]) == expected
    assert harness.secops.log_types == {"GTI_LISTS_CUSTOM"}


def test_other_messages_of_the_topic_are_acked(harness: LandingHarness) -> None:
    """An absence, another feed, and everything while the feed is off: nothing is read or written."""
    landed = harness.land(2)
    landings = harness.importer().landings
    landings.handle(MinuteAbsent(feed="threat_lists", minute=HOUR, checked_at=NOON))
    landings.handle(landed.model_copy(update={"feed": "domains"}))
    harness.feeds = []
    harness.importer().landings.handle(landed)
    assert not harness.secops.asked
    assert not harness.pubsub.published
    assert not list(harness.bucket.names("streams/"))


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 24),
    logs=st.integers(1, 24),
    bad=st.sets(st.integers(0, 23)),
    deaths=st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=4),
)
def test_whatever_interrupts_it_every_line_is_sent_once_or_dead(
    count: int, logs: int, bad: set[int], deaths: list[tuple[int, bool]]
) -> None:
    """Only a request that was accepted and not recorded is sent again, byte for byte; a refused line is set aside."""
    harness = LandingHarness()
    refused = {f"host-{number}.example" for number in bad if number < count}
    harness.secops.refuses = lambda found: ImportRefused("400") if refused & found else None
    landed, limits = harness.land(count), Limits(3_900_000, logs)
    for steps, after in deaths:
        with suppress(CrashError):
            harness.importer(CrashSchedule(steps, after=after), limits=limits).landings.handle(landed)
        harness.now.advance(seconds=LEASE.total_seconds() + 1)
    harness.importer(limits=limits).landings.handle(landed)
    found = harness.delivery(landed)
    assert (found.accepted, found.dead) == (count - len(refused), len(refused))
    assert set(harness.secops.ids()) == set(ids(count)) - refused
    once = Counter(one for body in set(harness.secops.bodies) for one in harness.secops.ids_of(body))
    assert max(once.values(), default=0) <= 1
    assert harness.secops.ids().total() <= once.total() + len(deaths) * logs
    assert len({message.uri for message in harness.dead()}) == len(refused)


@pytest.mark.parametrize("count", [1, 3])
def test_a_line_that_is_set_aside_can_be_sent_again(harness: LandingHarness, count: int) -> None:
    """Its dead letter is that of a page with the line, which makes the same log, also if the hour has no other."""
    landed = harness.land(count)
    harness.secops.refuses = lambda found: ImportRefused("400: bad") if "host-0.example" in found else None
    harness.importer().landings.handle(landed)
    assert harness.delivery(landed).finished
    [alone] = harness.dead()
    assert (alone.items, alone.stream, alone.first_date) == (1, "threat_lists", HOUR)
    with pytest.raises(Poison, match=r"item ransomware/domain/host-0\.example: 400: bad"):
        harness.importer().handle(alone)
    harness.secops.refuses = lambda _: None
    harness.importer().handle(alone)
    assert harness.secops.ids() == ids(count)
    assert json.loads(base64.b64decode(harness.secops.logs()[-1]["data"])) == element(0)
    assert len({log["labels"]["threat_list"]["value"] for log in harness.secops.logs()}) == 1


def test_an_oversize_line_is_set_aside(harness: LandingHarness) -> None:
    """All others are accepted."""
    lines = [line_of(element(0)), line_of(element(1, whois="x" * 9_000)), line_of(element(2))]
    landed = land_hour(harness.bucket, lines)
    harness.importer(limits=Limits(bytes=10_000, logs=100)).landings.handle(landed)
    assert harness.secops.ids() == ids(3) - Counter(["host-1.example"])
    assert (harness.delivery(landed).oversize, len(harness.dead())) == ((1,), 1)


def test_an_hour_that_lands_again_is_delivered_again(harness: LandingHarness) -> None:
    """Positions of one content mean nothing in another; the message of the first landing changes nothing any more."""
    first = harness.land(3)
    harness.secops.answers = [(None, True), (TransientError("503"), False)]
    with pytest.raises(TransientError):
        harness.importer(limits=TWO).landings.handle(first)
    second = harness.land(4)
    harness.importer(limits=TWO).landings.handle(first)
    assert harness.secops.ids().total() == 2
    harness.importer(limits=TWO).landings.handle(second)
    assert harness.delivery(second).accepted == 4


def test_an_hour_without_lines_makes_no_request(harness: LandingHarness) -> None:
    """There is nothing to deliver."""
    harness.importer().landings.handle(harness.land(0))
    assert not harness.secops.asked


def test_a_condition_of_the_destination_is_no_dead_letter(harness: LandingHarness) -> None:
    """It is recorded once for the feed; the first delivery that succeeds removes it."""
    landed, conditions = harness.land(2), destination_conditions(harness.bucket)
    for _ in range(2):
        harness.secops.answers = [(DestinationRefused("404"), False)]
        with pytest.raises(DestinationRefused):
            harness.importer().landings.handle(landed)
    assert conditions.read("threat_lists")
    harness.importer().landings.handle(landed)
    assert conditions.read("threat_lists") is None
    assert not harness.pubsub.published
    assert harness.secops.ids() == ids(2)


def test_a_slow_delivery_ends_before_its_service_is_stopped(harness: LandingHarness) -> None:
    """It posts nothing more after its time; the redelivery continues with the rest."""
    landed = harness.land(5)
    harness.secops.on_post = lambda: harness.now.advance(seconds=LONGEST_DELIVERY.total_seconds() / 2 + 1)
    with pytest.raises(TimeSpent, match="4 of 5 items of the landing of threat_lists 2026-11-21T09:00:00Z"):
        harness.importer(limits=TWO).landings.handle(landed)
    assert harness.delivery(landed).held_until is None
    assert destination_conditions(harness.bucket).read("threat_lists") is None
    harness.importer(limits=TWO).landings.handle(landed)
    assert harness.secops.ids() == ids(5)
    longest = LONGEST_DELIVERY.total_seconds() + LONGEST_IMPORT_SECONDS
    assert longest < read_topology().services["secops-import"].timeout_seconds


def test_lines_that_are_set_aside_take_their_time_too(harness: LandingHarness) -> None:
    """Storing many of them ends in time; each one has one dead letter, however many deliveries it takes."""
    landed, write = harness.land(20), LONGEST_DELIVERY / 10
    harness.bucket.at_write = lambda: harness.now.advance(seconds=write.total_seconds())
    deliveries, finished = 0, False
    while not finished:
        begin, deliveries = harness.now(), deliveries + 1
        try:
            harness.importer(limits=Limits(200, 2)).landings.handle(landed)
            finished = True
        except TimeSpent:
            pass
        # The lease, and the record of the last line, are written before and after.
        assert harness.now() - begin <= LONGEST_DELIVERY + 4 * write
    assert (len(harness.dead()), harness.delivery(landed).dead) == (20, 20)
    assert deliveries > 1


def _without_object(harness: LandingHarness, landed: MinuteLanded) -> None:
    harness.bucket.delete(harness.bucket.name_of(landed.uri))


def _without_manifest(harness: LandingHarness, landed: MinuteLanded) -> None:
    harness.bucket.delete(manifest_name(landed.feed, landed.minute))


def _with_object(change: Callable[[bytes], bytes]) -> Callable[[LandingHarness, MinuteLanded], None]:
    def damage(harness: LandingHarness, landed: MinuteLanded) -> None:
        name = harness.bucket.name_of(landed.uri)
        stored = harness.bucket.read(name)
        assert stored
        harness.bucket.replace(name, change(stored.data), stored.generation)

    return damage


def _of_another_hour(harness: LandingHarness, landed: MinuteLanded) -> None:
    other = harness.land(1, HOUR + timedelta(hours=1))
    stored = harness.bucket.read(harness.bucket.name_of(other.uri))
    assert stored
    _with_object(lambda _: stored.data)(harness, landed)


@pytest.mark.parametrize(
    ("damage", "reason", "error_type"),
    [
        (_without_object, "does not exist, and its manifest does", "object_missing"),
        (_without_manifest, "has no manifest in bucket", "object_missing"),
        (_with_object(lambda data: data[:-9]), "is cut off", "invalid_page"),
        (_with_object(lambda _: b"no gzip"), "cannot be decompressed", "invalid_page"),
        (_of_another_hour, "has 1 lines, and 3 by its manifest", "invalid_page"),
    ],
)
def test_a_landing_that_is_damaged_is_poison(
    harness: LandingHarness, damage: Callable[[LandingHarness, MinuteLanded], None], reason: str, error_type: str
) -> None:
    """Reading it again would not help; the reason is in the delivery, so that nobody announces it again."""
    landed = harness.land(3)
    damage(harness, landed)
    with pytest.raises(Poison, match=reason) as poison:
        harness.importer().landings.handle(landed)
    assert poison.value.error_type == error_type
    if damage is not _without_manifest:
        assert reason in (harness.delivery(landed).reason or "")


def test_a_message_with_another_address_is_poison(harness: LandingHarness) -> None:
    """No address of a message leads to other objects than landings."""
    message = landing_message(harness.land(1))
    for uri in ("gs://landing/threat_lists/x.ndjson.gz", "gs://landing/threat_lists/../domains/1-2.ndjson.gz"):
        with pytest.raises(Poison, match="is not a landing of 'threat_lists'"):
            harness.importer().handle(message.model_copy(update={"uri": uri}))


def test_lines_are_read_in_pieces_from_any_position(harness: LandingHarness) -> None:
    """Lines are the same whatever they are split into, and each is whole."""
    landed = harness.land(40)
    items = LandingItems(harness.bucket, landed)
    lines = list(items.since(0))
    assert [json.loads(line)["feed_line"] for line in lines] == list(range(1, 41))
    assert list(items.since(17)) == lines[17:]
    assert (items.count, items.what) == (40, "the landing of threat_lists 2026-11-21T09:00:00Z")


def test_a_log_type_that_is_missing_delays_no_other_feed() -> None:
    """Landings have a subscription of their own: push backoff is that of a subscription."""
    own = [one for one in read_topology().subscriptions.values() if one.topic == MINUTES_LANDED and one.filter]
    assert [one.filter for one in own] == [f'attributes.feed = "{FEED.name}"']
