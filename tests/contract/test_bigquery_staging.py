"""One suite for staging and its in-memory fake, and tests that only the emulator allows."""

import gzip
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from google.cloud.bigquery.retry import DEFAULT_RETRY

from infra.local.job_faults import LIMIT, JobFaults
from shared.contracts.minutes import landing_name
from shared.contracts.outcomes import Misconfigured
from shared.gcp.staging import BigQueryStaging
from shared.gcp.storage import StorageBucket
from shared.warehouse.errors import RateLimited
from shared.warehouse.staging import LoadEnd, LoadJob
from tests.support.landed import domain, framed, land
from tests.support.memory import MemoryBucket
from tests.support.staging import MemoryStaging
from tests.support.waiting import PATIENCE
from tests.support.warehouse import DOMAINS, Warehouse, utc

MINUTE, NEXT = utc(10, 50), utc(10, 51)


class StagingHarness:
    """A staging and the bucket that it loads from."""

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


def in_memory() -> StagingHarness:
    """Return the fakes."""
    bucket = MemoryBucket()
    return StagingHarness(bucket, MemoryStaging(bucket))


@pytest.fixture(params=["memory", "emulator"])
def harness(request: pytest.FixtureRequest) -> StagingHarness:
    """Return the fakes, or the adapters on the emulators."""
    if request.param == "memory":
        return in_memory()
    warehouse: Warehouse = request.getfixturevalue("warehouse")
    return StagingHarness(warehouse.bucket, warehouse.staging)


def test_a_load_brings_a_minutes_lines(harness: StagingHarness) -> None:
    """A load stages every line under its minute and number."""
    landed = land(harness.bucket, DOMAINS, MINUTE, [domain("a"), None, domain("b")])
    assert harness.load(landed.uri).state == "done"
    assert harness.staging.lines_kept(DOMAINS, MINUTE).all == {1, 3}
    assert not harness.staging.lines_kept(DOMAINS, NEXT).all


@pytest.mark.parametrize(
    "bad",
    ['{"feed_minute":"2026-11-21T10:50:00Z","feed_line":2,"id":"b","obj', "{]\n"],
    ids=["cut off", "no JSON"],
)
def test_a_load_is_all_or_nothing(harness: StagingHarness, bad: str) -> None:
    """One line that cannot be read makes the load fail, with the server's message."""
    end = harness.load(harness.put(framed(DOMAINS, MINUTE, 1, domain("a")), bad))
    assert end.state == "refused"
    assert end.message
    assert not harness.staging.lines_kept(DOMAINS, MINUTE).all


def test_an_object_that_is_not_there_is_refused(harness: StagingHarness) -> None:
    """A missing object and an unreadable one give the same error: the emulator does not distinguish them."""
    end = harness.load(harness.bucket.uri("domains/2026/11/21/1050-nothing.ndjson.gz"))
    assert end.state == "refused"


def test_lines_are_still_kept_when_they_are_merged(warehouse: Warehouse) -> None:
    """Lines count as kept whether they are in staging or in history."""
    warehouse.load(warehouse.land(MINUTE, domain("a"), domain("b")))
    warehouse.merge()
    warehouse.load(warehouse.land(NEXT, domain("a")))
    merged, staged = (warehouse.staging.lines_kept(DOMAINS, minute) for minute in (MINUTE, NEXT))
    assert (set(merged.all), merged.all_merged) == ({1, 2}, True)
    assert (set(staged.all), staged.all_merged) == ({1}, False)


def test_a_job_can_be_waited_for_by_somebody_else(warehouse: Warehouse) -> None:
    """A job's id is enough to find it, and the reason of its failure."""
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
    """Loading without tables raises an error that says how to make them."""
    landed = own_warehouse.land(MINUTE, domain("a"))
    remove(own_warehouse)
    with pytest.raises(Misconfigured, match="run `gti-mesh provision`"):
        own_warehouse.load(landed)


def test_an_id_is_taken_for_good(harness: StagingHarness) -> None:
    """As in BigQuery, an id that was used does not start a second job."""
    landed = land(harness.bucket, DOMAINS, MINUTE, [domain("a")])
    job = LoadJob(uuid4().hex, DOMAINS, landed.uri)
    assert harness.staging.begin(job)
    assert not harness.staging.begin(job)
    assert harness.staging.end(job, seconds=PATIENCE).state == "done"
    assert not harness.staging.begin(job)


@pytest.fixture
def faults(warehouse: Warehouse) -> Iterator[JobFaults]:
    """Yield the faults of the emulator's load jobs, and clear them after the test."""
    control = JobFaults(str(warehouse.endpoints.bigquery))
    yield control
    control.set_faults()


def test_a_rate_limit_before_a_job_begins_leaves_its_id_free(warehouse: Warehouse, faults: JobFaults) -> None:
    """The client retries for a limited time, then raises RateLimited."""
    job = LoadJob(uuid4().hex, DOMAINS, warehouse.land(MINUTE, domain("a")).uri)
    faults.set_faults({"kind": "refused", "times": 1000})
    impatient = BigQueryStaging(warehouse.client, warehouse.dataset, retry=DEFAULT_RETRY.with_timeout(1.0))
    with pytest.raises(RateLimited, match="too many table update operations"):
        impatient.begin(job)
    faults.set_faults({"kind": "refused"})
    assert warehouse.staging.begin(job)
    assert warehouse.staging.end(job, seconds=PATIENCE).state == "done"


def test_a_job_that_ends_with_a_rate_limit_says_so(warehouse: Warehouse, faults: JobFaults) -> None:
    """A job that ended because of a rate limit raises RateLimited: the data is valid, but the id is used."""
    job = LoadJob(uuid4().hex, DOMAINS, warehouse.land(MINUTE, domain("a")).uri)
    faults.set_faults({"kind": "limited"})
    assert warehouse.staging.begin(job)
    assert warehouse.staging.end(job, seconds=PATIENCE) == LoadEnd("limited", LIMIT, quota=True)
    assert not warehouse.staging.begin(job)


def test_a_job_that_cannot_be_read_yet_is_asked_for_again_on_the_wire(warehouse: Warehouse, faults: JobFaults) -> None:
    """Two 404 responses after a 409 are retried and do not raise the error about missing tables."""
    job = LoadJob(uuid4().hex, DOMAINS, warehouse.land(MINUTE, domain("a")).uri)
    assert warehouse.staging.begin(job)
    faults.set_faults({"kind": "unseen", "times": 2})
    assert not warehouse.staging.begin(job)
    assert warehouse.staging.end(job, seconds=PATIENCE).state == "done"
