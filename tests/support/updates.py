"""A list of items that change, the last updated first, and the forwarder on it."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from shared.streams.definition import Stream
from shared.virustotal.errors import RequestRefused
from shared.virustotal.list_reader import ListQuery
from shared.virustotal.listing import Listing
from tests.support.streams import ForwarderHarness, as_given

BY_UPDATE = Stream.model_validate(
    {
        "name": "alerts",
        "listing": "by_update",
        "path": "/alerts",
        "filter": "",
        "order": "updated_at-",
        "date_term": "updated_at",
        "date_field": "updated_at",
        "key": ["id"],
        "version": ["updated_at"],
        "log_type_variable": "CHRONICLE_LOG_TYPE_ALERTS",
        "log_type": "ALERTS_CUSTOM",
        "look_back_minutes": 60,
    }
)


class UpdateSource:
    """A list with scrolls: each request with a scroll's cursor reads on in the list as it was when the scroll began."""

    def __init__(self) -> None:
        self.items: dict[str, datetime] = {}
        self.shown: Counter[str] = Counter()
        self.asked: list[ListQuery] = []
        self.on_ask: Callable[[int], None] = lambda _: None
        self.expired: set[str] = set()
        self.undated: set[str] = set()
        self._scrolls: dict[str, list[tuple[str, datetime]]] = {}

    def add(self, *dates: datetime) -> list[str]:
        """Add an item for each date and return their ids."""
        new = [f"item-{len(self.items) + number}" for number in range(len(dates))]
        for name, date in zip(new, dates, strict=True):
            self.update(name, date)
        return new

    def update(self, name: str, date: datetime) -> None:
        """Change an item, unless it has changed later."""
        if name not in self.items or self.items[name] < date:
            self.items[name] = date
            self.shown[key(name, date)] += 1

    def latest(self) -> set[str]:
        """Return the key of every item's last version."""
        return {key(name, date) for name, date in self.items.items()}

    def page(self, question: ListQuery) -> Listing:
        """Answer one page."""
        assert (question.filter, question.order) == ("", "updated_at-")
        self.asked.append(question)
        self.on_ask(len(self.asked))
        if question.cursor in self.expired:
            raise RequestRefused("VirusTotal answered 400 BadRequestError: the page has expired")
        left = self._left(question.cursor)
        page, rest = left[: question.limit], left[question.limit :]
        scroll = question.cursor or f"scroll {len(self.asked)}"
        self._scrolls[scroll] = rest
        cursor = scroll if rest else None
        return Listing(tuple(as_given(written(name, date)) for name, date in page), cursor)

    def _left(self, cursor: str | None) -> list[tuple[str, datetime]]:
        if cursor:
            return self._scrolls[cursor]
        return sorted(self.items.items(), key=lambda one: (-one[1].timestamp(), one[0]))


def written(name: str, date: datetime) -> dict[str, Any]:
    """Return an item's version."""
    return {"id": name, "updated_at": date.isoformat()}


def key(name: str, date: datetime) -> str:
    """Return the key of a version."""
    return f"{name} {date.isoformat()}"


class UpdatesHarness(ForwarderHarness):
    """The forwarder on a list by update."""

    source: UpdateSource  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.source = UpdateSource()
        self.stream = BY_UPDATE

    def logged(self) -> Counter[str]:
        """Return how often each version is in the log."""
        return Counter(str(self.stream.key_of(item)) for item in self.logged_items())

    def update(self, number: int, age: float = 0) -> None:
        """Have the source show a change that happened so many seconds ago."""
        names = list(self.source.items)
        if names:
            self.source.update(names[number % len(names)], self.now() - timedelta(seconds=age))

    def assert_last_versions_logged_once(self) -> None:
        """Hold the log to the source: each last version is in one page, and no version is in two."""
        logged = self.logged()
        assert self.source.latest() <= set(logged) <= set(self.source.shown)
        assert set(logged.values()) <= {1}
        published = {message.sequence for message in self.messages()}
        assert published == {page.head.sequence for page in self.pages()}
