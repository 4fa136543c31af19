"""List prices in dollars for the US, each with its source and date; no free tiers, no discounts."""

from collections.abc import Iterator
from dataclasses import dataclass

GIB = 2**30
TIB = 2**40


@dataclass(frozen=True)
class Price:
    """A price, with the unit in which it is billed."""

    what: str
    dollars: float
    unit: str
    source: str
    date: str


_RUN = "https://cloud.google.com/run/pricing"
_BIGQUERY = "https://cloud.google.com/bigquery/pricing"
_PUBSUB = "https://cloud.google.com/pubsub/pricing"
_STORAGE = "https://cloud.google.com/storage/pricing-examples"
_UNDATED = "a stored copy without a date"

VCPU_SECOND = Price("Cloud Run, tier 1, processor", 0.000024, "vCPU-second", _RUN, _UNDATED)
GIB_SECOND = Price("Cloud Run, tier 1, memory", 0.0000025, "GiB-second", _RUN, _UNDATED)
REQUEST = Price("Cloud Run, requests", 0.40 / 1e6, "request", _RUN, _UNDATED)
MESSAGE_BYTES = Price("Pub/Sub throughput, at least 1 KB a request", 40 / TIB, "byte", _PUBSUB, "since June 2019")
OBJECT_BYTES_MONTH = Price("Cloud Storage, standard, one region", 0.020 / GIB, "byte-month", _STORAGE, _UNDATED)
CLASS_A = Price("Cloud Storage, writes (class A)", 0.005 / 1000, "operation", _STORAGE, _UNDATED)
CLASS_B = Price("Cloud Storage, reads (class B)", 0.0004 / 1000, "operation", _STORAGE, _UNDATED)
SCANNED_BYTES = Price("BigQuery, on-demand queries", 6.25 / TIB, "byte", _BIGQUERY, "since July 2023")
ACTIVE_BYTES_MONTH = Price("BigQuery, active logical storage", 0.02 / GIB, "byte-month", _BIGQUERY, _UNDATED)
OLD_BYTES_MONTH = Price(
    "BigQuery, logical storage unchanged for 90 days", 0.01 / GIB, "byte-month", _BIGQUERY, _UNDATED
)
PHYSICAL_BYTES_MONTH = Price("BigQuery, active physical storage", 0.04 / GIB, "byte-month", _BIGQUERY, _UNDATED)
OLD_PHYSICAL_BYTES_MONTH = Price(
    "BigQuery, physical storage unchanged for 90 days", 0.02 / GIB, "byte-month", _BIGQUERY, _UNDATED
)
INSERTED_BYTES = Price("BigQuery, insertAll, at least 1 KB a row", 0.01 / (200 * 2**20), "byte", _BIGQUERY, _UNDATED)
SCHEDULE = Price("Cloud Scheduler", 0.10, "job and month", "https://cloud.google.com/scheduler/pricing", _UNDATED)
SECRET_VERSION = Price(
    "Secret Manager, active version", 0.06, "version and month", "https://cloud.google.com/secret-manager/pricing",
    _UNDATED,
)  # fmt: skip

PRICES = (
    VCPU_SECOND, GIB_SECOND, REQUEST, MESSAGE_BYTES, OBJECT_BYTES_MONTH, CLASS_A, CLASS_B, SCANNED_BYTES,
    ACTIVE_BYTES_MONTH, OLD_BYTES_MONTH, PHYSICAL_BYTES_MONTH, OLD_PHYSICAL_BYTES_MONTH, INSERTED_BYTES, SCHEDULE,
    SECRET_VERSION,
)  # fmt: skip

_SHOWN = {
    "byte-month": (GIB, "GiB and month"),
    "operation": (1000, "1,000 operations"),
    "request": (1e6, "million requests"),
    "byte": (TIB, "TiB"),
}


def price_table() -> Iterator[str]:
    """Yield the section's lines."""
    yield "| price | $ | for | source | as of |"
    yield "|---|---:|---|---|---|"
    for price in PRICES:
        times, unit = _SHOWN.get(price.unit, (1.0, price.unit))
        host = price.source.removeprefix("https://")
        yield f"| {price.what} | {_number(price.dollars * times)} | {unit} | [{host}]({price.source}) | {price.date} |"


def _number(value: float) -> str:
    return f"{value:.7f}".rstrip("0").rstrip(".")
