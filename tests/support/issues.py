"""Projects of issues that are triaged and seen again, and the forwarder on them."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any

from services.secops_forwarder.importer.request import Form
from services.secops_forwarder.poll.poller import Poller
from shared.contracts.outcomes import Misconfigured
from shared.streams.definition import Stream, find_stream
from shared.virustotal.errors import RequestRefused
from shared.virustotal.issue_reader import MAX_HITS, IssuePage, IssueSearch
from shared.virustotal.listing import SourceItem
from tests.support.streams import CrashSchedule, ForwarderHarness, changed

ISSUES = find_stream("asm_issues").model_copy(update={"log_type": "ASM_CUSTOM"})
PROJECT, OTHER = "1", "2"


@dataclass(frozen=True)
class SimpleIssue:
    """One issue as it is now."""

    project: str
    name: str
    last_seen: datetime
    status: str = "open_new"

    @property
    def place(self) -> tuple[str, str]:
        """Its identity."""
        return self.project, self.name

    def given(self) -> SourceItem:
        """Return it as a hit."""
        hit = {"id": self.name, "last_seen": self.last_seen.isoformat(), "summary": {"status": self.status}}
        text = json.dumps({"project_id": self.project, **hit}).encode()
        return SourceItem(text, json.loads(text))


class IssueSource:
    """Searches by last_seen; a token counts the hits to skip.

    `on_ask` runs before an answer, and may raise; `on_answer` may give another answer.

    A search counts no more than `cap` hits, and its tokens end there; `inclusive` and `unstable_ties` are what is not
    known of the source. History has the versions of every issue, in their order.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.issues: dict[tuple[str, str], SimpleIssue] = {}
        self.history: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self.known_projects: tuple[str, ...] = (PROJECT, OTHER)
        self.asked: list[IssueSearch] = []
        self.on_ask: Callable[[int], None] = lambda _: None
        self.on_answer: Callable[[IssuePage], IssuePage] = lambda page: page
        self.cap = 1000
        self.inclusive = False
        self.unstable_ties = False
        self.expired: set[str | None] = set()
        self._now = now

    def add(self, *dates: datetime, project: str = PROJECT) -> list[str]:
        """Add an issue for each date and return their names."""
        names = [f"issue-{len(self.issues) + number}" for number in range(len(dates))]
        for name, date in zip(names, dates, strict=True):
            self.put(SimpleIssue(project, name, date))
        return names

    def put(self, issue: SimpleIssue) -> None:
        """Show an issue."""
        self.issues[issue.place] = issue
        if self.history[issue.place][-1:] != [issue.status]:
            self.history[issue.place].append(issue.status)

    def triage(self, number: int, status: str) -> None:
        """Change the status of one issue, and no date."""
        if issue := self._one(number):
            self.put(replace(issue, status=status))

    def see(self, number: int, date: datetime) -> None:
        """Let a scan see one issue again."""
        if (issue := self._one(number)) and date > issue.last_seen:
            self.put(replace(issue, last_seen=date))

    def projects(self) -> tuple[str, ...]:
        """Return the projects; raise Misconfigured if there is none."""
        if not self.known_projects:
            raise Misconfigured("the key's owner has no ASM project")
        return self.known_projects

    def search(self, search: IssueSearch) -> IssuePage:
        """Answer one page."""
        self.asked.append(search)
        self.on_ask(len(self.asked))
        if search.token and search.token in self.expired:
            raise RequestRefused("VirusTotal answered 400 BadRequestError: Invalid page_token")
        found = self._found(search)
        begin = int(search.token or 0)
        page = found[begin : min(begin + search.page_size, self.cap)]
        end, total = begin + len(page), min(len(found), self.cap)
        counted = MAX_HITS if total == self.cap else total
        return self.on_answer(IssuePage(tuple(one.given() for one in page), counted, str(end) if end < total else None))

    def _found(self, search: IssueSearch) -> list[SimpleIssue]:
        begin, end = _bounds(search.text)
        mine = [one for one in self.issues.values() if one.project == search.project]
        found = [one for one in mine if begin < one.last_seen < end]
        found += [one for one in mine if self.inclusive and one.last_seen in (begin, end)]
        shuffle = len(self.asked) if self.unstable_ties else 0
        return sorted(found, key=lambda one: (one.last_seen, sha256(f"{shuffle}/{one.name}".encode()).digest()))

    def _one(self, number: int) -> SimpleIssue | None:
        every = list(self.issues.values())
        return every[number % len(every)] if every else None


def _bounds(text: str) -> tuple[datetime, datetime]:
    terms = dict(term.split(":", 1) for term in text.split())
    latest = datetime.max.replace(tzinfo=UTC).isoformat()
    begin, end = (terms.pop(f"last_seen_{name}", latest) for name in ("after", "before"))
    assert not terms
    return datetime.fromisoformat(begin), datetime.fromisoformat(end)


class MortalIssues:
    """A source of a process that may die."""

    def __init__(self, source: IssueSource, life: CrashSchedule) -> None:
        self._source = source
        self._life = life

    def projects(self) -> tuple[str, ...]:
        """Return the projects."""
        return self._source.projects()

    def search(self, search: IssueSearch) -> IssuePage:
        """Answer one page."""
        return self._life.step(lambda: self._source.search(search))


class IssuesHarness(ForwarderHarness):
    """The forwarder on issues."""

    source: IssueSource  # type: ignore[assignment]

    def __init__(self, page_size: int = 3) -> None:
        super().__init__()
        self.source = IssueSource(self.now)
        self.stream: Stream = changed(ISSUES, page_size=page_size)

    def poller(self, life: CrashSchedule | None = None, deadline: timedelta = timedelta(minutes=4)) -> Poller:
        """Return the poller of a new process."""
        bucket, publisher = self.edges(life)
        return Poller(
            source=_NoLists(),
            issues=MortalIssues(self.source, life) if life else self.source,
            bucket=bucket,
            publisher=publisher,
            form=Form(clean=self.clean),
            limits=self.limits,
            now=self.now,
            deadline=deadline,
            page_size=self.page_size,
        )

    def versions(self) -> dict[tuple[str, str], list[str]]:
        """Return the statuses in the log of every issue, in their order."""
        found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for item in self.logged_items():
            found[item["project_id"], item["id"]].append(item["summary"]["status"])
        return dict(found)

    def sweep(self) -> None:
        """Let a day pass, and poll."""
        self.now.advance(days=1)
        self.poll()

    def assert_every_version_once(self) -> None:
        """Hold the log to the source: the last version of every issue is its last one there, and none comes again.

        What changed twice between two polls may be there once.
        """
        logged = self.versions()
        assert {place: each[-1] for place, each in logged.items()} == {
            place: issue.status for place, issue in self.source.issues.items()
        }
        for place, each in logged.items():
            assert all(before != after for before, after in pairwise(each)), place
            assert _is_part(each, self.source.history[place]), place
        published = {message.sequence for message in self.messages()}
        assert published == {page.head.sequence for page in self.pages()}


def _is_part(part: list[str], whole: list[str]) -> bool:
    left = iter(whole)
    return all(one in left for one in part)


class _NoLists:
    def page(self, question: Any) -> Any:
        """Answer no list."""
        raise AssertionError(question)
