"""Checks, in a scratch dataset, of undocumented behaviour of BigQuery that the mesh relies on."""
# ruff: noqa: S608 statements name the scratch dataset and the mesh's own tables, and hold nothing from outside

from collections.abc import Iterator, Sequence
from functools import partial

from infra.doctor.probe import LoadRefused, Probe
from shared.operations.doctor.check import Check, Finding, failed, passed, unknown

# More digits than a 64-bit float holds; JSON of VirusTotal has such numbers in entropy and scores.
_DECIMAL = "0.12345678901234567890123"
_HOURS = ("2026-01-01 00:00:00", "2026-01-01 01:00:00")
# A dry run rounds small tables up; below this a difference shows nothing.
_SMALL_BYTES = 50 * 2**20
_FREE_SHARE = 0.5


def behaviour_checks(probe: Probe, mesh_dataset: str, feeds: Sequence[str]) -> Iterator[Check]:
    """Yield the checks; those of pruning query the first feed's tables."""
    yield from _load_and_delete_checks(probe)
    for feed in feeds[:1]:
        yield from _pruning_checks(probe, f"{mesh_dataset}.{feed}")


def _load_and_delete_checks(probe: Probe) -> Iterator[Check]:
    yield Check(
        name="decimals in JSON",
        relies_on="a load job takes numbers with many digits in a JSON column",
        look=partial(_decimals, probe),
        meaning="refused: lines with such numbers become rejects; rounded: digits beyond the 17th are lost",
        remedy="rounded harms no column of the mesh; if refused, see `gti-mesh rejects`, and report it",
    )
    yield Check(
        name="delete of whole partitions",
        relies_on="deleting whole hours of staging bills nothing",
        look=partial(_free_delete, probe),
        meaning="each merge bills the hours of staging that it clears, as a query would",
        remedy="only the bill is higher; docs/cost.md names the share of staging",
    )
    yield Check(
        name="load beside a delete",
        relies_on="lines that a load job appends while a merge deletes the same hours survive the commit",
        look=partial(_load_survives, probe),
        meaning="such lines would vanish from staging; the sweep announces their minutes again, so they arrive later",
        remedy="nothing is lost; expect `never merged` minutes that disappear within 75 minutes",
    )
    yield Check(
        name="emptied partitions",
        relies_on="an emptied hour of staging no longer counts towards a table's 10,000 partitions",
        look=partial(_emptied, probe),
        meaning="staging would reach its limit of partitions after 416 days, and loads would fail",
        remedy="recreate the feed's staging table once a year while it is empty",
    )


def _pruning_checks(probe: Probe, feed: str) -> Iterator[Check]:
    whole_history, window = f"SELECT object FROM `{feed}_history`", "TIMESTAMP '2000-01-01', TIMESTAMP '2000-01-02'"
    one_path = f"SELECT JSON_VALUE(object, '$.type') FROM `{feed}_history`"
    yield Check(
        name="billing of one JSON path",
        relies_on="a query of one JSON path bills less than the whole column",
        look=partial(_cheaper, probe, one_path, whole_history),
        meaning="reading one path of history bills all of its JSON; docs/cost.md already assumes that",
        remedy="query headline columns where they suffice",
    )
    yield Check(
        name="pruning by minute",
        relies_on=f"a query of {feed} by feed_minute reads only those days of history",
        look=partial(_cheaper, probe, f"SELECT object FROM `{feed}_between`({window})", whole_history),
        meaning="queries of a window bill the whole archive",
        remedy="query the history table with a comparison of feed_minute, and report it",
    )
    whole_current = f"SELECT * FROM `{feed}_current`"
    yield Check(
        name="pruning by id",
        relies_on=f"a query of {feed}_current for one id reads only its blocks",
        look=partial(_billed_less, probe, f"{whole_current} WHERE id = 'gti-mesh-doctor'", whole_current),
        meaning="looking up one id bills all newest versions",
        remedy="look ids up in batches, and report it",
        consent="it may bill a reading of all newest versions of the feed, 6.25 dollars a TiB",
    )


def _decimals(probe: Probe) -> Finding:
    probe.run(f"CREATE OR REPLACE TABLE `{probe.dataset}.decimals` (object JSON)")
    try:
        probe.load("decimals", f'{{"object": {{"score": {_DECIMAL}}}}}\n'.encode())
    except LoadRefused as error:
        return failed(f"refused: {error}")
    [[kept]] = probe.run(f"SELECT TO_JSON_STRING(object.score) FROM `{probe.dataset}.decimals`")
    return passed("exact") if kept == _DECIMAL else passed(f"rounded: {_DECIMAL} became {kept}")


def _staging(probe: Probe, name: str) -> str:
    table = f"`{probe.dataset}.{name}`"
    probe.run(
        f"CREATE OR REPLACE TABLE {table} (feed_minute TIMESTAMP, text STRING) "
        "PARTITION BY TIMESTAMP_TRUNC(feed_minute, HOUR)"
    )
    rows = ", ".join(f"(TIMESTAMP '{hour}', REPEAT('x', 1000))" for hour in _HOURS)
    probe.run(f"INSERT INTO {table} (feed_minute, text) VALUES {rows}")
    return table


def _whole_hour(table: str) -> str:
    first, end = (f"TIMESTAMP '{hour}'" for hour in _HOURS)
    return f"DELETE FROM {table} WHERE feed_minute >= {first} AND feed_minute < {end}"


def _free_delete(probe: Probe) -> Finding:
    would_process = probe.dry_run(_whole_hour(_staging(probe, "cleared")))
    seen = f"a dry run of the delete says {would_process:,} bytes"
    return failed(seen) if would_process else passed(seen)


def _load_survives(probe: Probe) -> Finding:
    table = _staging(probe, "loaded")
    with probe.session() as run:
        run(f"BEGIN TRANSACTION; SELECT COUNT(*) FROM {table}")
        probe.load("loaded", f'{{"feed_minute": "{_HOURS[0]}", "text": "appended"}}\n'.encode())
        run(_whole_hour(table))
        run("COMMIT TRANSACTION")
    [[appended]] = probe.run(f"SELECT COUNT(*) FROM {table} WHERE text = 'appended'")
    return passed("the appended line survived") if appended == 1 else failed("the appended line is gone")


def _emptied(probe: Probe) -> Finding:
    table = _staging(probe, "emptied")
    probe.run(_whole_hour(table))
    rows = probe.run(
        f"SELECT partition_id, total_rows FROM `{probe.dataset}`.INFORMATION_SCHEMA.PARTITIONS "
        "WHERE table_name = 'emptied'"
    )
    empty = [str(partition) for partition, count in rows if not count]
    if not rows:
        return unknown("INFORMATION_SCHEMA.PARTITIONS does not have the table")
    return failed(f"partition {empty[0]} is empty and still there") if empty else passed("the emptied hour is gone")


def _cheaper(probe: Probe, less: str, whole: str) -> Finding:
    return _compared(probe.dry_run(less), probe.dry_run(whole), "a dry run says")


def _billed_less(probe: Probe, less: str, whole: str) -> Finding:
    # A dry run of a clustered table says the upper bound, so only a real query shows its pruning.
    return _compared(probe.billed(less), probe.dry_run(whole), "billed:")


def _compared(less: int, whole: int, how: str) -> Finding:
    seen = f"{how} {less:,} of {whole:,} bytes"
    if whole < _SMALL_BYTES:
        return unknown(f"{seen}: too few to tell; run this again when the table is larger than 50 MiB")
    return passed(seen) if less < _FREE_SHARE * whole else failed(seen)
