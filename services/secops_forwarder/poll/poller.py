"""Poll a stream: catch up with its log, collect new items, and save up to which page the log is published."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.importer.request import Form
from services.secops_forwarder.poll.collector import Collector, Source
from services.secops_forwarder.poll.known_versions import KnownVersions
from services.secops_forwarder.poll.list_collector import ListCollector
from services.secops_forwarder.poll.page_buffer import PageBuffer
from services.secops_forwarder.poll.page_log_writer import PageLogWriter
from services.secops_forwarder.poll.passes import Passes
from services.secops_forwarder.poll.pause import Pause
from services.secops_forwarder.poll.relations import Relations
from services.secops_forwarder.poll.republish import Republisher
from services.secops_forwarder.poll.second_look import SecondLook, next_look
from services.secops_forwarder.poll.window_collector import WindowCollector
from services.secops_forwarder.poll.window_reader import IssueSource
from shared.contracts.interfaces import Bucket, Publisher
from shared.contracts.outcomes import MeshError, Misconfigured, Retryable
from shared.operations.feed_conditions import stream_conditions
from shared.streams.definition import Stream
from shared.streams.page_log import PageLog, Published, PublishedStore

# Collecting gets the rest of a poll's time, and all of it if nothing is overdue.
_SHARE_FOR_OVERDUE = 0.25
_PASS_TOO_LONG = Retryable(
    "there are more changes than a poll has time for, and older ones are not found; raise POLL_DEADLINE_SECONDS",
    error_type="pass_too_long",
)


@dataclass(frozen=True)
class PollResult:
    """The result of one poll.

    finished is False if the deadline came before the end of the pass, paused is True if no request was made.
    """

    pages: int
    notifications: int
    asked: int
    last_page: int
    finished: bool
    paused: bool = False


class Collecting(Protocol):
    """Collects one stream in one poll."""

    @property
    def asked(self) -> int:
        """The number of requests."""

    def begin(self) -> bool:
        """Set the start of the first pass; return whether this is the first pass."""

    def marks(self) -> dict[str, object]:
        """Return the position, for the stream's hint."""

    def collect(self, hint: Published, late: Callable[[], bool]) -> tuple[Published, bool]:
        """Log what is new; return the hint, and whether the time was enough."""


class Poller:
    """Polls one stream at a time; any number of polls may run at once.

    Once a day a poll also looks back by second_look (0: never).
    """

    def __init__(
        self,
        *,
        source: Source,
        bucket: Bucket,
        publisher: Publisher,
        form: Form,
        limits: Limits,
        now: Callable[[], datetime],
        deadline: timedelta,
        page_size: int,
        second_look: timedelta = timedelta(),
        relations: Relations | None = None,
        issues: IssueSource | None = None,
    ) -> None:
        self._source = source
        self._bucket = bucket
        self._publisher = publisher
        self._form = form
        self._limits = limits
        self._now = now
        self._deadline = deadline
        self._page_size = page_size
        self._back = second_look
        self._relations = relations or Relations(source, (), limit=1)
        self._issues = issues
        self._conditions = stream_conditions(bucket)

    def poll(self, stream: Stream, until: datetime | None = None) -> PollResult:
        """Log new items, until a time or the poller's deadline; after any exception the next poll continues.

        While the stream is paused, no request is made.
        """
        pause = Pause(self._bucket, stream, self._now)
        if pause.lasts():
            last_page = PublishedStore(self._bucket, stream.name).read()[0].published
            return PollResult(pages=0, notifications=0, asked=0, last_page=last_page, finished=True, paused=True)
        try:
            result = self._poll(stream, until)
        except MeshError as error:
            self._conditions.keep(stream.name, error, self._now())
            pause.begin_after(error)
            raise
        if stream.listing == "by_update" and not result.finished:
            # The next poll begins at the front again and comes no further, so it does not end by itself.
            self._conditions.keep(stream.name, _PASS_TOO_LONG, self._now())
        elif self._conditions.read(stream.name):
            self._conditions.clear(stream.name)
        return result

    def _poll(self, stream: Stream, until: datetime | None) -> PollResult:
        began = self._now()
        time = until - began if until else self._deadline
        store = PublishedStore(self._bucket, stream.name)
        hint, generation = store.read()
        writer = PageLogWriter(stream, self._bucket, self._publisher, hint.published)
        collecting = self._collecting(stream, writer, hint)
        reached = hint
        try:
            writer.catch_up()
            if collecting.begin() and not generation:
                # The first pass begins here, even if several polls fail before the first page.
                store.save(hint.model_copy(update=collecting.marks()), 0)
                hint, generation = store.read()
            reached = self._republish(stream, hint, self._late(began, time * _SHARE_FOR_OVERDUE))
            reached, finished = collecting.collect(reached, self._late(began, time))
        finally:
            marks = {"published": max(writer.published, hint.published), **collecting.marks()}
            reached = reached.model_copy(update=marks)
            if reached != hint:
                # False: another poll saved its own hint, which is also correct.
                store.save(reached, generation)
        return PollResult(writer.pages, writer.notifications, collecting.asked, writer.published, finished)

    def _late(self, began: datetime, time: timedelta) -> Callable[[], bool]:
        return lambda: self._now() > began + time

    def _republish(self, stream: Stream, hint: Published, late: Callable[[], bool]) -> Published:
        now = self._now()
        reached = Republisher(self._bucket, stream.name, self._publisher).republish(hint, now, late)
        return reached.model_copy(update={"look": next_look(hint.look, stream, hint.since, now)})

    def _collecting(self, stream: Stream, writer: PageLogWriter, hint: Published) -> Collecting:
        if stream.listing != "windows":
            return self._of_list(stream, writer, hint)
        if self._issues is None:
            raise Misconfigured(f"{stream.name}: this poller has no source of issues")
        return WindowCollector(
            stream,
            writer,
            hint,
            KnownVersions(self._bucket, stream.name, PageLog(self._bucket, stream.name)),
            source=self._issues,
            buffer=self._buffer,
            now=self._now,
        )

    def _of_list(self, stream: Stream, writer: PageLogWriter, hint: Published) -> ListCollector:
        page_size = min(self._page_size, stream.page_size)
        passes = Passes(stream, writer, hint, now=self._now, page_size=page_size)
        collector = Collector(
            stream,
            writer,
            passes,
            source=self._source,
            buffer=self._buffer,
            relations=self._relations,
            now=self._now,
            page_size=page_size,
        )
        second = SecondLook(
            stream,
            writer,
            PageLog(self._bucket, stream.name),
            source=self._source,
            buffer=self._buffer(),
            relations=self._relations,
            now=self._now,
            page_size=page_size,
        )
        return ListCollector(stream, passes, collector, second, self._back)

    def _buffer(self) -> PageBuffer:
        return PageBuffer(self._limits, self._form.most)
