"""The check of ASM projects: which of them the key has, and whether a search does what windows of it rely on."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from pydantic import SecretStr

from shared.contracts.outcomes import MeshError
from shared.operations.doctor.check import Check, Finding, failed, passed_unless, unknown
from shared.streams.definition import Stream
from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.issue_reader import IssuePage, IssueReader, IssueSearch

Key = Callable[[], SecretStr]
_WEEK = timedelta(days=7)
_WRITTEN = "%Y-%m-%dT%H:%M:%S.000Z"


def asm_project_checks(
    *, api_url: str, key: Key, streams: Sequence[Stream], projects: Sequence[str], now: datetime
) -> Iterator[Check]:
    """Yield a check for a stream of issues; it makes a request for each project, and one for their names."""
    for stream in streams:
        if stream.listing == "windows":
            yield Check(
                name="ASM projects",
                relies_on="the key's owner has projects, and a search of each counts its hits and keeps to its bounds",
                look=partial(_projects, api_url, key, stream, projects, now),
                meaning=f"{stream.name} gets nothing, or reads the same issues again with every poll",
                remedy="set ASM_PROJECTS to the ids of projects that the key's owner has, or switch the stream off",
                local=True,
            )


def _projects(api_url: str, key: Key, stream: Stream, projects: Sequence[str], now: datetime) -> Finding:
    reader = IssueReader(VirusTotal(api_url=api_url, key=FixedKey(key())), projects)
    bounds = f"{stream.date_term}_after:{now - _WEEK:{_WRITTEN}} {stream.date_term}_before:{now:{_WRITTEN}}"
    try:
        pages = {project: reader.search(IssueSearch(project, bounds, 1)) for project in reader.projects()}
    except MeshError as error:
        return failed(str(error))
    problems = [text for project, page in pages.items() for text in _problems(stream, project, page, bounds, now)]
    seen = f"the key may search {', '.join(pages)}"
    if not problems and not any(page.items for page in pages.values()):
        return unknown(f"{seen}; no issue was seen in the last week, so nothing shows whether bounds are kept to")
    return passed_unless(problems, seen)


def _problems(stream: Stream, project: str, page: IssuePage, bounds: str, now: datetime) -> Iterator[str]:
    if page.total is None:
        yield f"project {project}: the search does not count its hits"
    dates = [stream.date_of(item.known) for item in page.items]
    if not all(date and now - _WEEK <= date <= now for date in dates):
        yield f"project {project}: the search does not keep to {bounds}"
