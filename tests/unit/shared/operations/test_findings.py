"""A finding about a package has a remedy as long as the source has the package."""

from datetime import timedelta

from shared.operations.findings import about_package, about_ranges
from tests.support.doubles import NOON

OLD = NOON - timedelta(days=30)


def test_a_package_can_be_fetched_again_while_the_source_has_it() -> None:
    """A feed's package of a month ago is gone at the source, and an hour of a stream is still in our log."""
    assert about_package("domains", NOON, "has changed", NOON).remedy.endswith(" --replace --force")
    assert about_package("domains", OLD, "has changed", NOON).remedy.startswith("none: ")
    assert about_package("ioc_stream", OLD, "has changed", NOON).remedy == (
        "gti-mesh replay ioc_stream 2026-10-22T12:00Z 2026-10-22T12:00Z --replace --force"
    )


def test_a_range_is_of_packages_that_can_come() -> None:
    """Hours are adjacent by their period; what has neither landed nor is at the source cannot be repaired."""
    for feed, remedies in (
        ("threat_lists", ["none: the source no longer has it"]),
        ("ioc_stream", ["gti-mesh replay ioc_stream 2026-10-22T11:00Z 2026-10-22T12:00Z"]),
    ):
        texts = [(OLD - timedelta(hours=1), "is missing"), (OLD, "is missing")]
        found = list(about_ranges(feed, texts, NOON, landed=()))
        assert [one.remedy for one in found] == remedies
        assert [one.what for one in found] == ["2026-10-22T11:00:00Z to 2026-10-22T12:00:00Z is missing"]
