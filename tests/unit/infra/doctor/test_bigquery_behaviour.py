"""The checks of BigQuery's behaviour, with probes for either behaviour."""

import pytest

from infra.doctor.bigquery_behaviour import behaviour_checks
from infra.doctor.probe import Row
from shared.operations.doctor.check import Finding, Outcome
from tests.support.probe_double import ProbeDouble

MESH = "p1.vt_feeds"


def found(name: str, **behaviour: object) -> Finding:
    """Return a check's finding for a behaviour."""
    probe = ProbeDouble(**{"rows": {}, "bytes_of": {}, **behaviour})  # type: ignore[arg-type]
    [check] = [check for check in behaviour_checks(probe, MESH, ["domains"]) if check.name == name]
    return check.look()


@pytest.mark.parametrize(
    ("kept", "seen"),
    [
        ("0.12345678901234567890123", "exact"),
        ("0.12345678901234568", "rounded: 0.12345678901234567890123 became 0.12345678901234568"),
    ],
)
def test_decimals_may_be_kept_or_rounded(kept: str, seen: str) -> None:
    """Exact and rounded decimals both pass, and the finding says which."""
    assert found("decimals in JSON", rows={"SELECT": [(kept,)]}) == Finding(Outcome.PASS, seen)


def test_refused_decimals_fail() -> None:
    """Refused decimals are a fail with BigQuery's message."""
    finding = found("decimals in JSON", refuses="cannot round")
    assert finding == Finding(Outcome.FAIL, "refused: cannot round")


@pytest.mark.parametrize(("size", "outcome"), [(0, Outcome.PASS), (2048, Outcome.FAIL)])
def test_a_delete_of_whole_partitions_is_free_or_not(size: int, outcome: Outcome) -> None:
    """The dry run of the delete decides."""
    assert found("delete of whole partitions", bytes_of={"DELETE": size}).outcome is outcome


@pytest.mark.parametrize(("count", "outcome"), [(1, Outcome.PASS), (0, Outcome.FAIL)])
def test_a_line_loaded_beside_a_delete_survives_or_not(count: int, outcome: Outcome) -> None:
    """The count of rows after the commit decides."""
    assert found("load beside a delete", rows={"'appended'": [(count,)]}).outcome is outcome


@pytest.mark.parametrize(
    ("partitions", "outcome"),
    [
        ([("2026010101", 1)], Outcome.PASS),
        ([("2026010100", 0), ("2026010101", 1)], Outcome.FAIL),
        ([], Outcome.UNKNOWN),
    ],
)
def test_an_emptied_partition_goes_or_stays(partitions: list[Row], outcome: Outcome) -> None:
    """The list of partitions decides."""
    assert found("emptied partitions", rows={"PARTITIONS": partitions}).outcome is outcome


@pytest.mark.parametrize("name", ["billing of one JSON path", "pruning by minute", "pruning by id"])
@pytest.mark.parametrize(
    ("less", "whole", "outcome"),
    [(10**6, 10**9, Outcome.PASS), (10**9, 10**9, Outcome.FAIL), (10**3, 10**6, Outcome.UNKNOWN)],
)
def test_a_narrow_query_reads_less_or_not(name: str, less: int, whole: int, outcome: Outcome) -> None:
    """The billed bytes decide; for a small table the result is unknown."""
    narrow = {"JSON_VALUE": less, "_between": less, "WHERE id": less}
    finding = found(name, bytes_of={**narrow, "SELECT": whole})
    assert finding.outcome is outcome
    assert f"{less:,} of {whole:,} bytes" in finding.seen
