"""One suite for staging and its in-memory twin; the twin alone has what the emulator lacks."""

import gzip
from collections.abc import Callable
from uuid import uuid4

import pytest

from shared.gcp.staging import BigQueryStaging
from shared.gcp.storage import StorageBucket
from shared.memory import MemoryBucket
from shared.minutes import landing_name
from shared.outcomes import Misconfigured
from shared.warehouse.staging import LoadEnd, LoadJob
from tests.landed import domain, framed, land
from tests.staging import MemoryStaging
from tests.warehouse import DOMAINS, PATIENCE, Warehouse, utc

MINUTE, NEXT = utc(10, 50), utc(10, 51)


class House:
    """A staging and the bucket it loads from."""

    def __init__(self, bucket: MemoryBucket | StorageBucket, staging: MemoryStaging | BigQueryStaging) -> None:
        self.bucket = bucket
        self.staging = staging

    def load(self, uri: str, job_id: str = "") -> LoadEnd:
        """Load an object."""
        job = LoadJob(job_id or uuid4().hex, DOMAINS, uri)
        assert self.staging.begin(job)
        return self.staging.end(job, seconds=PATIENCE)

    def put(self, *lines: str) -> str:
        """Write lines as an object of the minute and return its address."""
        name = f"{landing_name('domains', MINUTE)}-{uuid4().hex}.ndjson.gz"
        self.bucket.create(name, gzip.compress("".join(lines).encode()))
        return self.bucket.uri(name)


def in_memory() -> House:
    """Return the twins."""
    bucket = MemoryBucket()
    return House(bucket, MemoryStaging(bucket))


@pytest.fixture(params=["memory", "emulator"])
def house(request: pytest.FixtureRequest) -> House:
    """Return the twins, or the adapters on the emulators."""
    if request.param == "memory":
        return in_memory()
    warehouse: Warehouse = request.getfixturevalue("warehouse")
    return House(warehouse.bucket, warehouse.staging)


def test_a_load_brings_a_minutes_lines(house: House) -> None:
    """Lines are known by minute and number."""
    landed = land(house.bucket, DOMAINS, MINUTE, [domain("a"), None, domain("b")])
    assert house.load(landed.uri).state == "done"
    assert house.staging.lines_kept(DOMAINS, MINUTE).all == {1, 3}
    assert not house.staging.lines_kept(DOMAINS, NEXT).all


@pytest.mark.parametrize(
    "bad",
    ['{"feed_minute":"2026-11-21T10:50:00Z","feed_line":2,"id":"b","obj', "{]\n"],
    ids=["cut off", "no JSON"],
)
def test_a_load_is_all_or_nothing(house: House, bad: str) -> None:
    """One line that cannot be read refuses the object, and the server says why."""
    end = house.load(house.put(framed(MINUTE, 1, domain("a")), bad))
    assert end.state == "refused"
    assert end.message
    assert not house.staging.lines_kept(DOMAINS, MINUTE).all


def test_an_object_that_is_not_there_is_refused(house: House) -> None:
    """Which of the two it was is for the loader to find out: the emulator does not tell them apart."""
    end = house.load(house.bucket.uri("domains/2026/11/21/1050-nothing.ndjson.gz"))
    assert end.state == "refused"


def test_lines_are_still_kept_when_they_are_merged(warehouse: Warehouse) -> None:
    """Staging and history are one place to the loader."""
    warehouse.load(warehouse.land(MINUTE, domain("a"), domain("b")))
    warehouse.merge()
    warehouse.load(warehouse.land(NEXT, domain("a")))
    merged, staged = (warehouse.staging.lines_kept(DOMAINS, minute) for minute in (MINUTE, NEXT))
    assert (set(merged.all), merged.all_merged) == ({1, 2}, True)
    assert (set(staged.all), staged.all_merged) == ({1}, False)


def test_a_job_can_be_waited_for_by_somebody_else(warehouse: Warehouse) -> None:
    """Its id is enough to find it, the reason of its failure included."""
    good, bad = (LoadJob(uuid4().hex, DOMAINS, uri) for uri in (warehouse.land(MINUTE).uri, "gs://nobody/nothing.gz"))
    for job in (good, bad):
        warehouse.staging.begin(job)
    another = BigQueryStaging(warehouse.client, warehouse.dataset)
    assert another.end(good, seconds=PATIENCE).state == "done"
    assert another.end(bad, seconds=PATIENCE).state == "refused"


@pytest.mark.parametrize(
    "remove",
    [
        lambda warehouse: warehouse.client.delete_table(f"{warehouse.dataset}.domains_staging", timeout=PATIENCE),
        lambda warehouse: warehouse.client.delete_dataset(warehouse.dataset, delete_contents=True, timeout=PATIENCE),
    ],
    ids=["table", "dataset"],
)
def test_without_tables_the_error_says_what_to_do(
    own_warehouse: Warehouse, remove: Callable[[Warehouse], None]
) -> None:
    """A missing table is no fault of the data's."""
    landed = own_warehouse.land(MINUTE, domain("a"))
    remove(own_warehouse)
    with pytest.raises(Misconfigured, match="run `gti-mesh provision`"):
        own_warehouse.load(landed)


def test_an_id_is_taken_for_good() -> None:
    """As in BigQuery: a second job of an id does not begin. The emulator starts it, so only the twin shows this."""
    house = in_memory()
    landed = land(house.bucket, DOMAINS, MINUTE, [domain("a")])
    job = LoadJob("once", DOMAINS, landed.uri)
    assert house.staging.begin(job)
    assert not house.staging.begin(job)
