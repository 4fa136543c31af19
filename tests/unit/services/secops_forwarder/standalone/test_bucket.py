"""A forwarder without Pub/Sub keeps away from the bucket of a mesh."""

import pytest

from services.secops_forwarder.standalone.bucket import claim, is_standalone
from shared.contracts.outcomes import Misconfigured
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket
from tests.support.streams import ForwarderHarness


def test_an_unused_bucket_is_marked_and_claimed_again() -> None:
    """Other objects may be in it."""
    bucket = MemoryBucket()
    bucket.create("backup/notes.txt", b"ours")
    assert not is_standalone(bucket)
    claim(bucket)
    bucket.create("streams/ioc_stream/pages/0000000001.json", b"{}")
    claim(bucket)
    assert is_standalone(bucket)


@pytest.mark.parametrize("name", ["state/planner/domains.json", "streams/ioc_stream/pages/0000000001.json"])
def test_the_bucket_of_a_mesh_is_refused(name: str) -> None:
    """With what to do; and it is not marked."""
    bucket = MemoryBucket()
    bucket.create(name, b"{}")
    with pytest.raises(Misconfigured, match=r"is the bucket of a mesh: set LANDING_BUCKET .*--folder.*--with-mesh"):
        claim(bucket)
    assert not is_standalone(bucket)


def test_a_forwarder_of_a_mesh_makes_a_bucket_its_own() -> None:
    """From its first poll on, without any feed; and so does a planner, also where the bucket was marked before."""
    harness = ForwarderHarness()
    harness.source.add(NOON)
    harness.poll()
    with pytest.raises(Misconfigured):
        claim(harness.bucket)
    bucket = MemoryBucket()
    claim(bucket)
    bucket.create("state/planner/domains.json", b"{}")
    assert not is_standalone(bucket)
    with pytest.raises(Misconfigured):
        claim(bucket)
