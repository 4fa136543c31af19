"""The audit says how much BigQuery reads, by dry runs that bill nothing."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from shared.contracts.outcomes import Misconfigured
from shared.operations.audit_bytes import bytes_to_read
from shared.operations.mesh import Mesh
from shared.runtime.settings import MeshSettings
from tests.support.doubles import NOON
from tests.support.dry_runs import PROJECT, DryRuns

DAYS = 400
LEDGER = 1_000_000
# Of a feed, in bytes a day.
DOMAINS = {
    "domains_history": 50_000_000,
    "domains_staging": 3_000_000,
    "domains_recent": 200_000,
    "domains_base": 20_000,
    "domains_fence": 1,
    "domains_current": 300_000,
}
URLS = {name.replace("domains", "urls"): 2 * size for name, size in DOMAINS.items()}


def dry_runs(tables: Mapping[str, int], *, days: int = DAYS, expires_after: int = 0) -> DryRuns:
    """Return a dataset with the ledger and these tables."""
    return DryRuns({"minutes": LEDGER, **tables}, days, NOON, expires_after)


def size(double: DryRuns, *, days: float | None = None, deep: bool = False, feeds: str = "domains") -> int:
    """Return the bytes of an audit of the last days, or of everything."""
    settings = {"GCP_PROJECT": PROJECT, "LANDING_BUCKET": "b", "FEEDS": feeds}
    mesh = Mesh(MeshSettings.model_validate(settings))
    # Where cached_property keeps it.
    mesh.__dict__["warehouse"] = double.client()
    since = NOON - timedelta(days=days) if days is not None else None
    return bytes_to_read(mesh, since, deep=deep, now=NOON)


def test_the_bytes_of_all_queries_are_added_and_nothing_is_run() -> None:
    """Dry runs alone: the double refuses a statement that would be billed."""
    double = dry_runs(DOMAINS)
    found = size(double)
    read = {name: sum(sql.count(f".{name}`") for sql in double.estimated) for name in ("minutes", *DOMAINS)}
    assert all(read.values())
    assert found == sum(double.sizes) > DAYS * sum(DOMAINS.values())


def test_a_later_beginning_reads_less() -> None:
    """Every query of history, staging and ledger is bounded by it."""
    sizes = [size(dry_runs(DOMAINS), days=days) for days in (1, 10, 100)]
    assert sizes == sorted(sizes)
    history = DOMAINS["domains_history"]
    # Two queries read history without its objects.
    assert sizes[1] - sizes[0] >= 2 * 9 * history
    assert sizes[0] < size(dry_runs(DOMAINS)) / 50


def test_what_has_expired_is_not_read() -> None:
    """A table that keeps ten days has the bounds of ten days, whatever is asked for."""
    short = size(dry_runs(DOMAINS, expires_after=10))
    assert size(dry_runs(DOMAINS), days=9) < short < size(dry_runs(DOMAINS), days=12)


def test_a_deep_audit_reads_objects_too() -> None:
    """The queries of the plain audit, and those that read objects."""
    plain, deep = dry_runs(DOMAINS), dry_runs(DOMAINS)
    assert size(deep, deep=True) > size(plain)
    assert set(plain.estimated) < set(deep.estimated)
    assert any("TO_JSON_STRING(object)" in sql for sql in deep.estimated)


def test_a_feed_that_is_switched_off_counts_as_long_as_it_has_tables() -> None:
    """It is audited too."""
    both = dry_runs({**DOMAINS, **URLS})
    assert size(both) == size(dry_runs({**DOMAINS, **URLS}), feeds="domains,urls")
    assert size(both) > size(dry_runs(DOMAINS))


def test_a_dataset_that_is_gone_is_named() -> None:
    """The audit ends with what to do before it reads anything."""
    with pytest.raises(Misconfigured, match="gti-mesh provision"):
        size(DryRuns({}, DAYS, NOON))
