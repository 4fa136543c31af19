"""Poll a stream: catch up with its log, walk on, and remember how far every page has been published."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.ports import Bucket, Publisher
from shared.secops.chunks import Limits
from shared.secops.filling import Filling
from shared.secops.overdue import Overdue
from shared.secops.pages import PageLog, PublishedStore
from shared.secops.request import Form
from shared.secops.tail import Tail
from shared.secops.walk import Source, Walker
from shared.streams import Stream


@dataclass(frozen=True)
class Polled:
    """What one poll did; finished is False when its time was up before the walk's end."""

    pages: int
    notifications: int
    asked: int
    last_page: int
    finished: bool


class Poller:
    """Polls one stream at a time; any number of polls may run at once."""

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
    ) -> None:
        self._source = source
        self._bucket = bucket
        self._publisher = publisher
        self._form = form
        self._limits = limits
        self._now = now
        self._deadline = deadline
        self._page_size = page_size

    def poll(self, stream: Stream) -> Polled:
        """Bring in what is new; whatever is raised leaves a log from which the next poll goes on."""
        end = self._now() + self._deadline
        store = PublishedStore(self._bucket, stream.name)
        hint, generation = store.read()
        reached = hint
        tail = Tail(PageLog(self._bucket, stream.name), self._publisher, hint.published)
        walker = self._walker(stream, tail)
        try:
            tail.catch_up()
            reached = Overdue(self._bucket, stream.name, self._publisher).tell(hint, self._now())
            finished = walker.walk(lambda: self._now() > end)
        finally:
            reached = reached.model_copy(update={"published": max(tail.published, hint.published)})
            if reached != hint:
                # False: another poll saved its own hint, and both are true.
                store.save(reached, generation)
        return Polled(tail.pages, tail.notifications, walker.asked, tail.published, finished)

    def _walker(self, stream: Stream, tail: Tail) -> Walker:
        return Walker(
            stream,
            tail,
            source=self._source,
            filling=lambda: Filling(self._limits, self._form.most),
            now=self._now,
            page_size=self._page_size,
        )
