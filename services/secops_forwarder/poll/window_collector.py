"""Collect the issues of every project: those that a scan saw since the last pass, and once a day all of them.

Triage moves no date, so only a sweep finds it. A sweep uses the poll's remaining time, and the next poll continues it.
Projects are apart: one that fails does not stop the others.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from services.secops_forwarder.poll.known_versions import KnownVersions
from services.secops_forwarder.poll.page_buffer import PageBuffer
from services.secops_forwarder.poll.page_log_writer import PageLogWriter
from services.secops_forwarder.poll.window_reader import IssueSource, WindowReader
from services.secops_forwarder.poll.windows import Window, window_from
from shared.contracts.outcomes import MeshError
from shared.streams.definition import Stream
from shared.streams.issue_progress import ProjectProgress
from shared.streams.page_log import Published
from shared.virustotal.errors import KeyRefused

_SWEEP_EVERY = timedelta(days=1)
_NEVER = datetime.min.replace(tzinfo=UTC)

log = logging.getLogger(__name__)


class WindowCollector:
    """Collects one stream of issues in one poll."""

    def __init__(
        self,
        stream: Stream,
        writer: PageLogWriter,
        hint: Published,
        known: KnownVersions,
        *,
        source: IssueSource,
        buffer: Callable[[], PageBuffer],
        now: Callable[[], datetime],
    ) -> None:
        self._stream = stream
        self._writer = writer
        self._known = known
        self._source = source
        self._buffer = buffer
        self._now = now
        self._since = hint.since
        self._pass_began = hint.pass_began
        self._progress = dict(hint.walks)
        self._reader: WindowReader

    @property
    def asked(self) -> int:
        """The number of searches."""
        return self._reader.asked

    def begin(self) -> bool:
        """Set the start of the first pass; return whether this is the first pass."""
        last = self._writer.head
        known = self._since or (last.since if last else None)
        since = self._since = known or self._now() - self._stream.look_back
        self._reader = WindowReader(
            self._stream,
            self._writer,
            self._known,
            source=self._source,
            buffer=self._buffer,
            now=self._now,
            since=since,
        )
        return known is None

    def marks(self) -> dict[str, object]:
        """Return the position, for the stream's hint."""
        return {"since": self._since, "pass_began": self._pass_began, "walks": self._progress}

    def collect(self, hint: Published, late: Callable[[], bool]) -> tuple[Published, bool]:
        """Read every project up to now, then sweep those that are due; return False if the time was up before that."""
        if not self._known.catch_up(self._writer.published, late):
            self._known.save(sweeping=False)
            return hint, False
        began, projects = self._now(), self._source.projects()
        try:
            read = self._each(projects, partial(self._read_new, late))
            due = [name for name in read.done if self._is_due(self._progress[name])]
            swept = self._each(due, partial(self._sweep, late))
        finally:
            self._known.save(sweeping=any(self._progress[name].reached for name in projects if name in self._progress))
        if error := read.error or swept.error:
            raise error
        finished = len(read.done) == len(projects)
        self._pass_began = began if finished else self._pass_began
        return hint, finished

    def _each(self, projects: Sequence[str], read: Callable[[str], bool]) -> "_Round":
        """Read projects, the one that is furthest behind first."""
        done: list[str] = []
        errors: list[MeshError] = []
        for name in sorted(projects, key=lambda name: self._progress[name].read if name in self._progress else _NEVER):
            try:
                done += [name] if read(name) else []
            except MeshError as error:
                if isinstance(error, KeyRefused) or error.error_type == "quota_spent":
                    raise
                log.warning("secops.project_failed: %s: %s", self._stream.name, error)
                errors.append(error)
        return _Round(done, errors[0] if errors else None)

    def _read_new(self, late: Callable[[], bool], project: str) -> bool:
        """Read what was last seen since the last poll; return False if the time was up."""
        progress = self._progress.get(project) or ProjectProgress(read=self._reader.since, swept_at=self._now())

        def record(end: datetime) -> None:
            self._progress[project] = progress.model_copy(update={"read": max(progress.read, end)})

        self._progress[project] = progress
        parts = window_from(progress.read).parts(progress.ahead)
        return self._keep_left(project, self._reader.read(project, parts, late, record))

    def _sweep(self, late: Callable[[], bool], project: str) -> bool:
        """Read everything up to there once more; return False if the time was up."""
        progress = self._progress[project]
        begin = progress.reached or self._reader.since
        if progress.reached is None:
            progress = progress.model_copy(update={"swept_at": self._now(), "reached": begin})

        def record(end: datetime | None) -> None:
            self._progress[project] = progress.model_copy(update={"reached": end})

        parts = window_from(begin, progress.read).parts(progress.ahead)
        if not self._keep_left(project, self._reader.read(project, parts, late, record)):
            return False
        record(None)
        self._known.swept(project)
        return True

    def _keep_left(self, project: str, left: Sequence[Window]) -> bool:
        """Keep what is to be read next, and return whether nothing is."""
        if left:
            self._progress[project] = self._progress[project].model_copy(update={"ahead": left[0].end})
        return not left

    def _is_due(self, progress: ProjectProgress) -> bool:
        return progress.reached is not None or self._now() - progress.swept_at >= _SWEEP_EVERY


@dataclass(frozen=True)
class _Round:
    """The projects that were read to the end, and the first error."""

    done: list[str]
    error: MeshError | None
