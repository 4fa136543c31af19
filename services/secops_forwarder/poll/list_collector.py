"""Collect a list, and once a day look at the time before its passes again."""

from collections.abc import Callable
from datetime import timedelta

from services.secops_forwarder.poll.collector import Collector
from services.secops_forwarder.poll.passes import Passes
from services.secops_forwarder.poll.second_look import SecondLook
from shared.streams.definition import Stream
from shared.streams.page_log import Published


class ListCollector:
    """Collects one stream whose items have dated versions, in one poll."""

    def __init__(
        self, stream: Stream, passes: Passes, collector: Collector, second: SecondLook, back: timedelta
    ) -> None:
        self._stream = stream
        self._passes = passes
        self._collector = collector
        self._second = second
        self._back = back

    @property
    def asked(self) -> int:
        """The number of requests."""
        return self._collector.asked + self._second.asked

    def begin(self) -> bool:
        """Set the start of the first pass; return whether this is the first pass."""
        return self._passes.begin()

    def marks(self) -> dict[str, object]:
        """Return the position, for the stream's hint."""
        return {"since": self._passes.since, "ended": self._passes.ended, "pass_began": self._passes.pass_began}

    def collect(self, hint: Published, late: Callable[[], bool]) -> tuple[Published, bool]:
        """Collect what is new, and then what was shown late; return False if the time was up before that."""
        finished = self._collector.collect(late)
        # A list by update is read from its front with every pass, and cannot be asked for older items alone.
        if finished and hint.look and self._passes.since and self._stream.listing == "ascending":
            look = self._second.look(hint.look, self._back, self._passes.since, late)
            hint = hint.model_copy(update={"look": look})
        return hint, finished
