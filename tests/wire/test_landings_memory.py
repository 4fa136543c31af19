"""Hours of threat lists in the memory that the topology declares for the service that sends them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from infra.endpoints import Endpoints
from infra.topology import read_topology
from shared.contracts.messages import MinuteLanded
from shared.gcp.storage import StorageBucket, storage_client
from tests.support.landings import element, land_hour, line_of
from tests.support.memory_limit import Limited, limited, limited_service
from tests.support.secops import CUSTOMER, RunningSecOps
from tests.wire.conftest import envelope

SERVICE = read_topology().services["secops-import"]
MEBIBYTES = SERVICE.mebibytes
THIS_HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
# 14 lists of 4,000 elements, the most of an hour without a full list, in one of the hours; elements have about 1 KB.
LINES = (56_000, *[10_000] * (SERVICE.concurrency - 1))
PUSH_SECONDS = 400.0


@pytest.fixture
def group() -> Iterator[Limited]:
    """Yield a control group with the declared memory."""
    with limited(MEBIBYTES) as group:
        yield group


@pytest.fixture
def bucket(wired: Endpoints) -> StorageBucket:
    """Return a bucket for this test."""
    client, name = storage_client(wired.project, wired.storage), f"test-{uuid4().hex}"
    client.create_bucket(name)  # type: ignore[no-untyped-call]
    return StorageBucket(name, client)


@pytest.fixture
def url(
    wired: Endpoints, bucket: StorageBucket, secops: RunningSecOps, group: Limited, tmp_path: Path
) -> Iterator[str]:
    """Run the service as Cloud Run would, in a control group, and yield its address."""
    settings = {
        **wired.environment(),
        "LANDING_BUCKET": bucket.name,
        "VT_API_KEY": "a" * 64,
        "SECOPS_API_URL": secops.url,
        "CHRONICLE_CUSTOMER_ID": CUSTOMER,
        "STREAMS": "",
        "SECOPS_FEEDS": "threat_lists",
    }
    with limited_service("secops-import", group, settings, tmp_path) as address:
        yield f"{address}/landings"


def test_hours_fit_into_the_declared_memory(
    url: str, group: Limited, bucket: StorageBucket, secops: RunningSecOps
) -> None:
    """As many hours at once as the service takes, one of them as large as an hour is without a full list."""
    whois = "x" * 900
    hours = [
        land_hour(
            bucket, (line_of(element(number, whois=whois)) for number in range(count)), THIS_HOUR - timedelta(hours=ago)
        )
        for ago, count in enumerate(LINES, 3)
    ]

    def push(landed: MinuteLanded) -> int:
        body = envelope(landed.model_dump(mode="json"), 1, **landed.attributes)
        return requests.post(url, json=body, timeout=PUSH_SECONDS).status_code

    with ThreadPoolExecutor(len(hours)) as threads:
        assert list(threads.map(push, hours)) == [204] * len(hours)
    figures = secops.control.stats().log_type("GCP_THREATINTEL")
    assert (figures.distinct, figures.duplicates) == (sum(LINES), 0)
    assert group.kills() == 0
    print(f"peak of {MEBIBYTES} MiB: {group.peak() / 2**20:.0f} MiB")  # noqa: T201 - for docs/threat-lists.md
