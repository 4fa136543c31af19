"""The figures of a load, in Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.downloader import machine

_SERVICES = ("planner", "downloader", "loader", "merger")


def page(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the figures in Markdown."""
    load = found["load"]
    yield f"{machine()}."
    yield ""
    if asked := found.get("publish"):
        yield (
            f"- **Publish**: the planner published {asked['published']:,} minutes in {asked['seconds']} s "
            f"({asked['a_second']:,} a second) to the embedded Pub/Sub."
        )
    if replayed := found.get("replay"):
        yield (
            f"- **Replay**: `gti-mesh replay --wait` brought {replayed['minutes']:,} minutes in and merged them in "
            f"{replayed['seconds']} s, {replayed['a_second']} a second; the largest service held "
            f"{max(replayed['peak_mib'][part] for part in _SERVICES)} MiB."
        )
    yield (
        f"- **Load**: for {load['seconds']} s {load['landed_a_second']} minutes a second landed and "
        f"{load['loaded_a_second']} were loaded, {load['minutes_loaded']:,} in all. The backlog of up to "
        f"{load['most_outstanding']} drained within {load['drained_after_seconds']} s of the last request; "
        f"{load['left']} were left."
    )
    yield ""
    yield "| MiB | early | late |"
    yield "|---|---|---|"
    for part in (*_SERVICES, "pubsub", "storage", "bigquery"):
        yield f"| {part} | {load['early_mib'][part]} | {load['late_mib'][part]} |"
