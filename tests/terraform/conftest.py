"""Plans of the Terraform configuration, each made once a run."""

import shutil
from collections.abc import Iterator

import pytest

from tests.terraform.planned import Plan, Workspace, workspace

CUSTOMER = "00000000-0000-4000-8000-000000000000"
OPERATOR = "group:soc@example.org"

# Every variable that has no default, or none that shows in the plan.
EVERYTHING = {
    "region": "europe-west3",
    "location": "EU",
    "landing_bucket": "our-landing",
    "dataset": "feeds",
    "history_expiry_days": 400,
    "feeds": ["domains", "files"],
    "plan_back_minutes": 60,
    "vt_api_key_version": "3",
    "tuning": {
        "download_deadline_seconds": 300,
        "load_deadline_seconds": 301,
        "merge_deadline_seconds": 900,
        "merge_max_bytes_billed": 10**12,
        "poll_deadline_seconds": 200,
        "page_seconds": 60,
    },
    "secops": {
        "customer_id": CUSTOMER,
        "project": "secops-project",
        "region": "eu",
        "host": "https://chronicle.{region}.rep.googleapis.com",
        "api_version": "v1alpha",
        "log_type": "GTI_IOC_STREAM",
        "forwarder_id": CUSTOMER,
        "namespace": "soc",
        "use_case": "hunting",
        "clean": False,
        "max_request_bytes": 1_000_000,
        "max_request_logs": 100,
        "streams": ["ioc_stream", "vulnerabilities"],
        "filters": "origin:hunting",
        "order": "date+",
        "look_back": "-2d",
        "page_size": 20,
    },
    "operators": [OPERATOR],
    "alert_emails": ["soc@example.org"],
    "docs_url": "https://git.example.org/docs",
}


@pytest.fixture(scope="session")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A copy of the configuration that real Terraform works on; skips where Terraform is not installed."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed, so nothing can be planned")
    with workspace(tmp_path_factory.mktemp("terraform")) as made:
        yield made


@pytest.fixture(scope="session")
def plan(configuration: Workspace) -> Plan:
    """What an apply with nothing but project and image would make."""
    return configuration.plan()


@pytest.fixture(scope="session")
def full_plan(configuration: Workspace) -> Plan:
    """What an apply with every variable given would make."""
    return configuration.plan(**EVERYTHING)
