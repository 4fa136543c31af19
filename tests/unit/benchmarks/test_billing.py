"""The bill of a merge follows the documented rules."""

import pytest

from benchmarks.billing import (
    MINIMUM,
    Load,
    Scanned,
    Widths,
    dollars_a_month,
    fold_event,
    merge_parts,
    mutation,
    narrow_table,
    ours,
    query,
    size,
    wide_table,
)

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
    """NULL is free, a string costs two bytes more than its UTF-8, an array the sum of its elements."""
    assert size(value, kind) == bytes_


def test_a_query_bills_what_it_names_and_ten_megabytes_a_table_at_least() -> None:
    """A smaller query is billed as ten megabytes per table."""
    assert query(Scanned(10**9, 8), Scanned(1, 8)) == 8 * 10**9 + MINIMUM


def test_a_mutation_bills_all_columns_of_what_it_may_modify_on_top() -> None:
    """The columns that the statement names are billed in addition."""
    assert mutation(Scanned(10**6, 100), Scanned(10**6, 20)) == 120 * 10**6


def test_no_part_grows_with_the_archive() -> None:
    """With twice as many ids every part of a merge, with its share of a fold, costs the same.

    Other designs cost more.
    """
    small, large = Load(10**5, 10**7, 10**8), Load(10**5, 10**7, 2 * 10**8)
    assert ours(large, WIDTH) == pytest.approx(ours(small, WIDTH), rel=1e-3)
    assert narrow_table(large, WIDTH) > 1.8 * narrow_table(small, WIDTH)
    assert wide_table(large, WIDTH) > 1.9 * wide_table(small, WIDTH)


def test_a_fold_reads_base_and_recent_once() -> None:
    """A fold reads all columns of base and recent once, and little else; it deletes whole partitions, which is free."""
    load = Load(10**5, 10**7, 10**8)
    rows = load.current + load.foldable
    assert rows * WIDTH.current < fold_event(load, WIDTH) < 1.2 * rows * WIDTH.current


def test_the_parts_are_those_of_the_merge() -> None:
    """The clearing of staging is free, the fence costs the minimum, and lines are read for history and for recent."""
    parts = merge_parts(Load(10**5, 10**7, 10**8), WIDTH)
    line = 10**5 * (16 + 20 + 20_000)
    assert parts["delete"] == 0
    assert parts["fence"] == MINIMUM
    assert parts["recent"] == line
    assert parts["history"] == line + 10**7 * 16


def test_the_ledgers_part_has_the_content_of_each_minute() -> None:
    """The merge reads the ledger's rows of the day for it: little, so the minimum of a table is billed."""
    staged, history = max(MINIMUM, 10**5 * 8), 10**7 * 8
    assert merge_parts(Load(10**5, 10**7, 10**8), WIDTH)["ledger"] == 6 * staged + history + MINIMUM


def test_json_by_paths_bills_the_headline_columns() -> None:
    """Only recent reads paths; history takes the whole object."""
    load = Load(10**5, 10**7, 10**8)
    whole, paths = (merge_parts(load, WIDTH, json=json) for json in ("whole", "paths"))
    assert [part for part in whole if whole[part] != paths[part]] == ["recent"]
    assert paths["recent"] == pytest.approx(10**5 * WIDTH.current)


def test_a_month_at_list_price() -> None:
    """The price is for one tebibyte, 48 times a day, for 30 days."""
    assert dollars_a_month([2**40]) == pytest.approx(48 * 30 * 6.25)
