"""The bill of a merge follows the documented rules."""

import pytest

from tests.bench.billing import MINIMUM, Load, Scanned, Widths, dollars_a_month, mutation, ours, query, size, wide_table

WIDTH = Widths(id=20, object=20_000, current=250, version=16)


@pytest.mark.parametrize(
    ("value", "kind", "bytes_"),
    [
        (7, "INT64", 8),
        (0.5, "FLOAT64", 8),
        (True, "BOOL", 1),
        ("2026", "TIMESTAMP", 8),
        ("abc", "STRING", 5),
        ("ä", "STRING", 4),
        ("", "STRING", 2),
        (None, "STRING", 0),
        (["ab", "c"], "STRING", 7),
        ([], "STRING", 0),
        ('{"a":1}', "JSON", 7),
    ],
)
def test_sizes_of_values(value: object, kind: str, bytes_: int) -> None:
    """NULL is free, a string costs two bytes more than its UTF-8, an array what its elements cost."""
    assert size(value, kind) == bytes_


def test_a_query_bills_what_it_names_and_ten_megabytes_a_table_at_least() -> None:
    """However little that is."""
    assert query(Scanned(10**9, 8), Scanned(1, 8)) == 8 * 10**9 + MINIMUM


def test_a_mutation_bills_all_columns_of_what_it_may_modify_on_top() -> None:
    """The columns it names are billed once more."""
    assert mutation(Scanned(10**6, 100), Scanned(10**6, 20)) == 120 * 10**6


def test_only_current_grows_with_the_archive() -> None:
    """Twice as many ids: history, ledger and delete cost the same, current and the wide table more."""
    small, large = Load(10**5, 10**7, 10**8), Load(10**5, 10**7, 2 * 10**8)
    before, after = ours(small, WIDTH), ours(large, WIDTH)
    assert [part for part in before if before[part] != after[part]] == ["current"]
    assert wide_table(large, WIDTH) > 1.9 * wide_table(small, WIDTH)


def test_a_month_at_list_price() -> None:
    """One tebibyte, 48 times a day, for 30 days."""
    assert dollars_a_month([2**40]) == pytest.approx(48 * 30 * 6.25)
