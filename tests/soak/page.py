"""A soak's figures for docs/reliability.md, in Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any


def page(report: Mapping[str, Any], command: str) -> Iterator[str]:
    """Yield the figures of a run that balanced; `command` repeats the run."""
    verdict = report["verdict"]
    yield (
        f"`{command}`: {verdict['minutes']:,} feed minutes, {verdict['hours']:,} hours of threat lists and "
        f"{verdict['stream_hours']:,} of streams with {verdict['rows']:,} rows, "
        f"{verdict['notifications']:,} notifications and {verdict['updates']:,} versions of alerts, issues and "
        f"vulnerabilities, {report['kills']} kills and {report['faults']} other faults "
        f"within {report['seconds']:,} s. The last account was closed {report['settled_seconds']} s and "
        f"{report['sweeps_to_settle']} sweeps after the last fault."
    )
    yield ""
    yield (
        f"At the end {_list(dict.fromkeys(('merged', 'absent', 'dead'), 0) | verdict['endings'])}. "
        f"**{verdict['minutes_lost']} minutes or hours lost, {verdict['rows_lost']} rows lost, "
        f"{verdict['rows_twice']} rows twice, {verdict['notifications_lost']} notifications lost, "
        f"{verdict['updates_lost']} updates lost, {verdict['updates_twice']} updates twice.** "
        f"{verdict['sweeps']} sweeps have read all issues of a project. "
        f"Of {verdict['requests']:,} requests SecOps got {verdict['requests_twice']} twice; "
        f"{verdict['most_twice']} may have been ambiguous."
    )
    yield ""
    yield from _deaths(report)
    yield ""
    yield f"Other faults: {_list(report['faults_by_kind'])}."


def _deaths(report: Mapping[str, Any]) -> Iterator[str]:
    kinds: Mapping[str, int] = report["kills_by_kind"]
    ready = report["ready_seconds"]
    yield "| part | kills | of these | s to be back, median | most |"
    yield "|---|---|---|---|---|"
    for part in dict.fromkeys(_part(kind) for kind in kinds):
        of_part = {kind: count for kind, count in kinds.items() if _part(kind) == part}
        special = {kind[len(part) :].strip(", "): count for kind, count in of_part.items() if kind != part}
        back = ready.get(part, {"median": "", "most": ""})
        yield f"| {part} | {sum(of_part.values())} | {_list(special)} | {back['median']} | {back['most']} |"


def _part(kind: str) -> str:
    return kind.split(maxsplit=1)[0].rstrip(",")


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in counts.items())
