"""Doubles for the SecOps forwarder: a source of notifications, a SecOps, and a process that dies at any step."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from shared.json_bytes import read_object
from shared.memory import MemoryBucket, MemoryPublisher
from shared.messages import IOC_PAGES, IocPageLanded
from shared.ports import Bucket, Listed, Outgoing, Publisher, Stored, Writer
from shared.secops.chunks import Limits
from shared.secops.deliver import Importer
from shared.secops.pages import Page, page_name, read_page
from shared.secops.poll import Poller
from shared.secops.request import Form
from shared.streams import Stream, find_stream
from shared.virustotal.errors import RequestRefused
from shared.virustotal.listing import Listing, SourceItem
from shared.virustotal.pages import Question
from tests.doubles import Clock

STREAM = find_stream("ioc_stream")
LIMITS = Limits(bytes=3_900_000, logs=1000)
Item = dict[str, Any]
T = TypeVar("T")


def notification(number: int, date: datetime, size: int = 0, **attributes: object) -> Item:
    """Return an item as ioc_stream has them; its id does not grow with time."""
    return {
        "id": f"host-{number}.example",
        "type": "domain",
        "attributes": {"tags": [], "whois": "x" * size, "reputation": 0, **attributes},
        "context_attributes": {
            "notification_id": str(23_400_000_000 + number * 7919 % 1_000_003),
            "notification_date": int(date.timestamp()),
            "origin": "hunting",
            "sources": [{"id": "1", "type": "hunting_ruleset", "label": "rules"}],
            "hunting_info": None,
            "tags": [],
        },
    }


def id_of(item: Item) -> str:
    """Return the notification's id."""
    found: str = item["context_attributes"]["notification_id"]
    return found


class NotificationSource:
    """A list with keyset cursors; `on_ask` runs before a question is answered, and may raise."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.asked: list[Question] = []
        self.on_ask: Callable[[int], None] = lambda _: None
        self.expired: set[str] = set()
        self._next = 1

    def add(self, *dates: datetime, size: int = 0) -> list[str]:
        """Add a notification for each date and return their ids."""
        new = [notification(number, date, size) for number, date in enumerate(dates, self._next)]
        self._next += len(new)
        self.items += new
        return [id_of(item) for item in new]

    def page(self, question: Question) -> Listing:
        """Answer as VirusTotal does."""
        self.asked.append(question)
        self.on_ask(len(self.asked))
        if question.cursor in self.expired:
            raise RequestRefused("VirusTotal answered 400 BadRequestError: Invalid cursor")
        begin, after = _begin_of(question.filter), _place_of(question.cursor)
        fitting = [item for item in self.items if item["context_attributes"]["notification_date"] >= begin]
        found = sorted((place(item), item["id"], item) for item in fitting)
        left = [item for where, _, item in found if list(where) > after]
        page = left[: question.limit]
        more = len(left) > len(page)
        return Listing(tuple(map(as_given, page)), self._cursor(page[-1]) if more else None)

    def _cursor(self, item: Item) -> str:
        # As the real ones do, a cursor also says when it was issued: no two are equal.
        return json.dumps([*place(item), len(self.asked)])


def as_given(item: Item) -> SourceItem:
    """Return an item as an answer has it."""
    text = json.dumps(item).encode()
    return SourceItem(text, json.loads(text))


def _begin_of(text: str) -> float:
    [term] = [term for term in text.split() if term.startswith("date:")] or [""]
    try:
        return datetime.fromisoformat(term.removeprefix("date:").removesuffix("+")).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise RequestRefused("VirusTotal answered 400 BadRequestError: Invalid filter") from None


def _place_of(cursor: str | None) -> list[Any]:
    if cursor is None:
        return [0, ""]
    try:
        date, key, _ = json.loads(cursor)
    except (ValueError, TypeError):
        raise RequestRefused("VirusTotal answered 400 BadRequestError: Invalid cursor") from None
    return [date, key]


def place(item: Item) -> tuple[int, str]:
    """Return what a keyset cursor holds."""
    return item["context_attributes"]["notification_date"], id_of(item)


class DiedError(Exception):
    """The process is gone."""


class Life:
    """Counts steps of a process that dies at one of them: before its effect, or just after."""

    def __init__(self, steps: int | None = None, *, after: bool = False) -> None:
        self.left = steps
        self._after = after

    def step(self, effect: Callable[[], T]) -> T:
        """Do one step of the process."""
        if self.left is None:
            return effect()
        if self.left <= 0:
            raise DiedError
        self.left -= 1
        if self.left:
            return effect()
        if self._after:
            effect()
        raise DiedError


class MortalBucket:
    """A bucket used by a process that may die; reading is no step, for it changes nothing."""

    def __init__(self, bucket: MemoryBucket, life: Life) -> None:
        self.name = bucket.name
        self._bucket = bucket
        self._life = life

    def uri(self, name: str) -> str:
        """Return the address of an object."""
        return self._bucket.uri(name)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin so."""
        return iter(self._bucket.names(prefix))

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return the objects that begin so."""
        return self._bucket.listed(prefix, start)

    def writing(self, name: str, content_type: str) -> AbstractContextManager[Writer]:
        """Stream a new object."""
        return self._bucket.writing(name, content_type)

    def read(self, name: str) -> Stored | None:
        """Return an object."""
        return self._bucket.read(name)

    def create(self, name: str, data: bytes, content_type: str = "application/json") -> bool:
        """Write a new object."""
        return self._life.step(lambda: self._bucket.create(name, data, content_type))

    def replace(self, name: str, data: bytes, generation: int, content_type: str = "application/json") -> bool:
        """Replace an object."""
        return self._life.step(lambda: self._bucket.replace(name, data, generation, content_type))

    def delete(self, name: str) -> None:
        """Delete an object."""
        self._life.step(lambda: self._bucket.delete(name))


class MortalPublisher:
    """A publisher used by a process that may die."""

    def __init__(self, publisher: MemoryPublisher, life: Life) -> None:
        self._publisher = publisher
        self._life = life

    def publish(self, topic: str, messages: Iterable[Outgoing]) -> int:
        """Publish all messages."""
        return self._life.step(lambda: self._publisher.publish(topic, messages))


class SecOpsDouble:
    """Keeps what it accepted; `answers` are raised one a request, before (True: after) it is accepted."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.log_types: set[str] = set()
        self.answers: list[tuple[Exception | None, bool]] = []
        self.on_post: Callable[[], None] = lambda: None

    def import_logs(self, log_type: str, body: bytes) -> None:
        """Take one request."""
        self.on_post()
        error, accepted = self.answers.pop(0) if self.answers else (None, True)
        if accepted:
            self.bodies.append(body)
            self.log_types.add(log_type)
        if error:
            raise error

    def logs(self) -> list[dict[str, Any]]:
        """Return every log entry accepted."""
        return [entry for body in self.bodies for entry in json.loads(body)["inline_source"]["logs"]]

    def items(self) -> list[Item]:
        """Return every item accepted."""
        return [json.loads(base64.b64decode(entry["data"])) for entry in self.logs()]

    def ids(self) -> Counter[str]:
        """Return how often each notification was accepted."""
        return Counter(id_of(item) for item in self.items())


class World:
    """One bucket, one Pub/Sub, one source and one SecOps, and processes that come and go."""

    def __init__(self) -> None:
        self.now = Clock()
        self.bucket = MemoryBucket(now=self.now)
        self.pubsub = MemoryPublisher()
        self.source = NotificationSource()
        self.secops = SecOpsDouble()
        self.limits = LIMITS
        self.page_size = 40
        self.stream = STREAM
        self.clean = True

    def poller(self, life: Life | None = None, deadline: timedelta = timedelta(minutes=4)) -> Poller:
        """Return the poller of a new process."""
        bucket, publisher = self._edges(life)
        return Poller(
            source=self.source,
            bucket=bucket,
            publisher=publisher,
            form=Form(clean=self.clean),
            limits=self.limits,
            now=self.now,
            deadline=deadline,
            page_size=self.page_size,
        )

    def importer(self, life: Life | None = None, *, limits: Limits | None = None) -> Importer:
        """Return the importer of a new process."""
        bucket, publisher = self._edges(life)
        return Importer(
            secops=self.secops,
            bucket=bucket,
            publisher=publisher,
            streams=[self.stream],
            form=Form(clean=self.clean),
            limits=limits or self.limits,
            now=self.now,
        )

    def _edges(self, life: Life | None) -> tuple[Bucket, Publisher]:
        if life is None:
            return self.bucket, self.pubsub
        bucket: Bucket = MortalBucket(self.bucket, life)
        return bucket, MortalPublisher(self.pubsub, life)

    def poll(self) -> None:
        """Poll once in a healthy process."""
        self.poller().poll(self.stream)

    def messages(self) -> list[IocPageLanded]:
        """Return what was published about pages, in order."""
        return [IocPageLanded.model_validate_json(one.body) for one in self.pubsub.published[IOC_PAGES]]

    def pages(self) -> Iterator[Page]:
        """Yield the log's pages."""
        sequence = 1
        while stored := self.bucket.read(page_name(self.stream.name, sequence)):
            yield read_page(stored.data, str(sequence))
            sequence += 1

    def logged_items(self) -> list[dict[str, Any]]:
        """Return every item of the log, in order."""
        return [read_object(item) for page in self.pages() for item in page.items]

    def logged(self) -> Counter[str]:
        """Return how often each notification is in the log."""
        return Counter(map(id_of, self.logged_items()))

    def assert_all_logged_once(self) -> None:
        """Hold the log to the source: every notification in exactly one page, and every page published."""
        assert self.logged() == Counter(id_of(item) for item in self.source.items)
        published = {message.sequence for message in self.messages()}
        assert published == {page.head.sequence for page in self.pages()}


def changed(stream: Stream, **fields: object) -> Stream:
    """Return a stream with other settings."""
    return Stream.model_validate({**stream.model_dump(), **fields})
