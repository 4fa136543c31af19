"""Plans of the Terraform configuration, each made once per run."""

from collections.abc import Iterator

import pytest

from shared.feeds.definition import known_feeds
from shared.streams.definition import known_streams
from shared.streams.forwarded import FORWARDED_FEEDS
from tests.terraform.planned import Plan, Workspace, workspace

CUSTOMER = "00000000-0000-4000-8000-000000000000"
OPERATOR = "group:soc@example.org"
ANALYST = "principalSet://iam.googleapis.com/locations/global/workforcePools/our/group/analysts"
KEYS = "projects/my-project/locations/{}/keyRings/mesh/cryptoKeys/mesh"

# Every variable that has no default, or none that shows in the plan.
EVERYTHING = {
    "region": "europe-west3",
    "location": "EU",
    "labels": {"team": "soc"},
    "landing_bucket": "our-landing",
    "dataset": "feeds",
    "history_expiry_days": 400,
    "storage_billing_model": "PHYSICAL",
    "feeds": ["domains", "files", "threat_lists"],
    "streams_to_bigquery": [name for name in known_streams() if name in known_feeds()],
    "plan_back_minutes": 60,
    "threat_lists": ["ransomware", "malware"],
    "threat_lists_lag_minutes": 90,
    "vt_api_key_version": "3",
    "tuning": {
        "download_deadline_seconds": 300,
        "load_deadline_seconds": 301,
        "load_jobs_per_second": 0.5,
        "merge_every_minutes": 15,
        "merge_deadline_seconds": 900,
        "fold_deadline_seconds": 900,
        "fold_max_bytes_billed": 10**12,
        "fold_min_rows": 500000,
        "fold_keep_hours": 3,
        "merge_max_lines": 1000000,
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
        "log_types": {name: f"GTI_{name.upper()}_CUSTOM" for name in (*known_streams(), *FORWARDED_FEEDS)},
        "feeds": list(FORWARDED_FEEDS),
        "forwarder_id": CUSTOMER,
        "namespace": "soc",
        "use_case": "hunting",
        "clean": False,
        "max_request_bytes": 1_000_000,
        "max_request_logs": 100,
        "streams": list(known_streams()),
        "streams_to_secops": list(known_streams()),
        "filters": "origin:hunting",
        "order": "date+",
        "look_back": "-2d",
        "page_size": 20,
        "second_look_hours": 48,
        "relations": ["files", "domains"],
        "relations_limit": 5,
        "dtm_refs": True,
        "dtm_truncate": 1000,
        "asm_projects": ["10101", "10102"],
    },
    "operators": [OPERATOR],
    "analysts": [ANALYST],
    "traffic": {"downloader": {"LATEST": 10, "downloader-00001-abc": 90}},
    "secret_locations": ["europe-west3"],
    "message_regions": ["europe-west3"],
    "status_page_ingress": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
    "cloud_build": True,
    "budget": {"billing_account": "012345-6789AB-CDEF01", "amount": 500, "currency": "EUR"},
    "alert_emails": ["soc@example.org"],
    "docs_url": "https://git.example.org/docs",
}


@pytest.fixture(scope="session")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A copy of the configuration for real Terraform; skips where Terraform is not installed."""
    with workspace(tmp_path_factory.mktemp("terraform")) as made:
        yield made


@pytest.fixture(scope="session")
def plan(configuration: Workspace) -> Plan:
    """The plan of an apply with only project and image."""
    return configuration.plan()


@pytest.fixture(scope="session")
def full_plan(configuration: Workspace) -> Plan:
    """The plan of an apply with every variable set."""
    return configuration.plan(**EVERYTHING)
