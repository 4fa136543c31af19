"""A landed hour counts as delivered once SecOps has all of it."""

from datetime import timedelta

import pytest

from services.secops_forwarder.importer.chunks import Limits
from shared.contracts.minutes import manifest_name
from shared.contracts.outcomes import TransientError
from shared.operations.delivered_landings import delivered_landings
from tests.support.landings import HOUR, LandingHarness


@pytest.fixture
def harness() -> LandingHarness:
    """Return a harness with nothing landed."""
    return LandingHarness()


def test_an_hour_is_delivered_once_all_of_it_is(harness: LandingHarness) -> None:
    """Not before, not in part, and not while it is given up."""
    landed, other = harness.land(3), harness.land(1, HOUR + timedelta(hours=1))
    assert delivered_landings(harness.bucket, [landed.uri, other.uri]) == frozenset()
    harness.secops.answers = [(None, True), (TransientError("503"), False)]
    with pytest.raises(TransientError):
        harness.importer(limits=Limits(3_900_000, 2)).landings.handle(landed)
    harness.give_up(other)
    assert delivered_landings(harness.bucket, [landed.uri, other.uri]) == frozenset()
    harness.importer().landings.handle(landed)
    assert delivered_landings(harness.bucket, [landed.uri, other.uri]) == {landed.uri}


def test_an_hour_without_lines_is_delivered(harness: LandingHarness) -> None:
    """There is nothing to send."""
    landed = harness.land(0)
    assert delivered_landings(harness.bucket, [landed.uri]) == {landed.uri}


def test_the_hour_decides_and_not_an_earlier_landing_of_it(harness: LandingHarness) -> None:
    """What replaces a damaged landing is delivered in its place."""
    first = harness.land(3)
    harness.bucket.delete(harness.bucket.name_of(first.uri))
    second = harness.land(4)
    assert delivered_landings(harness.bucket, [first.uri]) == frozenset()
    harness.importer().landings.handle(second)
    assert delivered_landings(harness.bucket, [first.uri]) == {first.uri}


def test_what_cannot_be_read_is_not_delivered(harness: LandingHarness) -> None:
    """A manifest that is damaged or gone, and an address of something else; the others are found."""
    good, bad, gone = (harness.land(1, HOUR + timedelta(hours=number)) for number in range(3))
    for landed in (good, bad, gone):
        harness.importer().landings.handle(landed)
        if landed is not good:
            harness.bucket.delete(manifest_name(landed.feed, landed.minute))
    assert harness.bucket.create(manifest_name(bad.feed, bad.minute), b"{")
    uris = [good.uri, bad.uri, gone.uri, "gs://elsewhere/x", "no address"]
    assert delivered_landings(harness.bucket, uris) == {good.uri}
