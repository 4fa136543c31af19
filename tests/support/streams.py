"""Fakes for the SecOps forwarder: a source of notifications, a SecOps, and a process that dies at any step."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from infra.local.secops.log_types import local_log_type
from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.importer.delivering import Deliveries
from services.secops_forwarder.importer.errors import RequestTooLarge
from services.secops_forwarder.importer.page_importer import Importer
from services.secops_forwarder.importer.request import Form
from services.secops_forwarder.poll.poller import Poller
from shared.contracts.interfaces import Bucket, Outgoing, Publisher
from shared.contracts.messages import IOC_PAGES, IocPageLanded, Message
from shared.runtime.json_bytes import read_object
from shared.streams.definition import Stream, find_stream
from shared.streams.forwarded import ForwardedFeed
from shared.streams.page_log import Page, page_name, read_page
from shared.virustotal.errors import RequestRefused
from shared.virustotal.list_reader import ListQuery
from shared.virustotal.listing import Listing, SourceItem
from tests.support.doubles import Clock
from tests.support.memory import MemoryBucket, MemoryPublisher

STREAM = find_stream("ioc_stream").model_copy(update={"log_type": local_log_type("ioc_stream")})
LIMITS = Limits(bytes=3_900_000, logs=1000)
Item = dict[str, Any]
T = TypeVar("T")


def notification(number: int, date: datetime, size: int = 0, **attributes: object) -> Item:
    """Return an item as ioc_stream has them; its id does not increase with time."""
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
    """Return the id of a notification, or that of an indicator of a threat list."""
    found: str = item.get("context_attributes", {}).get("notification_id") or item.get("data", {}).get("id", "")
    return found


class NotificationSource:
    """A list with keyset cursors; `on_ask` runs before a request is answered, and may raise."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.asked: list[ListQuery] = []
        self.on_ask: Callable[[int], None] = lambda _: None
        self.expired: set[str] = set()
        # Notifications that are in their place in the list, and do not say when they happened.
        self.undated: set[str] = set()
        # The Date of the answers, if they have one.
        self.clock: Callable[[], datetime | None] = lambda: None
        self._next = 1

    def add(self, *dates: datetime, size: int = 0) -> list[str]:
        """Add a notification for each date and return their ids."""
        new = [notification(number, date, size) for number, date in enumerate(dates, self._next)]
        self._next += len(new)
        self.items += new
        return [id_of(item) for item in new]

    def page(self, question: ListQuery) -> Listing:
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
        cursor = self._cursor(page[-1]) if more else None
        return Listing(tuple(map(self._as_given, page)), cursor, self.clock())

    def _as_given(self, item: Item) -> SourceItem:
        if id_of(item) not in self.undated:
            return as_given(item)
        context = {name: value for name, value in item["context_attributes"].items() if name != "notification_date"}
        return as_given({**item, "context_attributes": context})

    def _cursor(self, item: Item) -> str:
        # As the real ones do, a cursor also says when it was issued: no two are equal.
        return json.dumps([*place(item), len(self.asked)])


def as_given(item: Item) -> SourceItem:
    """Return an item as in a response."""
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
    """Return the contents of a keyset cursor."""
    return item["context_attributes"]["notification_date"], id_of(item)


class CrashError(Exception):
    """The process is dead."""


class CrashSchedule:
    """Counts the steps of a process that dies at one of them, before its effect or just after."""

    def __init__(self, steps: int | None = None, *, after: bool = False) -> None:
        self.left = steps
        self._after = after

    def step(self, effect: Callable[[], T]) -> T:
        """Do one step of the process."""
        if self.left is None:
            return effect()
        if self.left <= 0:
            raise CrashError
        self.left -= 1
        if self.left:
            return effect()
        if self._after:
            effect()
        raise CrashError


class MortalBucket(MemoryBucket):
    """The objects of a bucket for a process that may die; reading is not a step, because it changes nothing."""

    def __init__(self, bucket: MemoryBucket, life: CrashSchedule) -> None:
        vars(self).update(vars(bucket))
        self._life = life

    def replace(self, name: str, data: bytes, generation: int, content_type: str = "application/json") -> bool:
        """Create or replace an object."""
        return self._life.step(lambda: super(MortalBucket, self).replace(name, data, generation, content_type))

    def delete(self, name: str) -> None:
        """Delete an object."""
        self._life.step(lambda: super(MortalBucket, self).delete(name))


class MortalSource:
    """A source of a process that may die."""

    def __init__(self, source: NotificationSource, life: CrashSchedule) -> None:
        self._source = source
        self._life = life

    def page(self, question: ListQuery) -> Listing:
        """Answer one request."""
        return self._life.step(lambda: self._source.page(question))


class MortalPublisher:
    """A publisher of a process that may die."""

    def __init__(self, publisher: MemoryPublisher, life: CrashSchedule) -> None:
        self._publisher = publisher
        self._life = life

    def publish(self, *messages: Message | Outgoing) -> int:
        """Publish all messages."""
        return self._life.step(lambda: self._publisher.publish(*messages))


class SecOpsDouble:
    """Keeps what it accepted; `answers` are raised one per request, before (True: after) it is accepted.

    `refuses` gives the refusal of a request with these notifications; a request larger than `takes` is too large.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.asked: list[bytes] = []
        self.refused = 0
        self.log_types: set[str] = set()
        self.answers: list[tuple[Exception | None, bool]] = []
        self.refuses: Callable[[set[str]], Exception | None] = lambda _: None
        self.takes: Limits | None = None
        self.on_post: Callable[[], None] = lambda: None

    def import_logs(self, log_type: str, body: bytes) -> None:
        """Accept one request."""
        self.on_post()
        self.asked.append(body)
        self._refuse(body)
        error, accepted = self.answers.pop(0) if self.answers else (None, True)
        if accepted:
            self.bodies.append(body)
            self.log_types.add(log_type)
        if error:
            raise error

    def _refuse(self, body: bytes) -> None:
        ids = self.ids_of(body)
        too_large = self.takes and (len(body) > self.takes.bytes or len(ids) > self.takes.logs)
        if refusal := RequestTooLarge("413") if too_large else self.refuses(set(ids)):
            self.refused += 1
            raise refusal

    def ids_of(self, body: bytes) -> list[str]:
        """Return the notifications of a request."""
        return [id_of(item) for item in map(_item, json.loads(body)["inline_source"]["logs"])]

    def logs(self) -> list[dict[str, Any]]:
        """Return every log entry accepted."""
        return [entry for body in self.bodies for entry in json.loads(body)["inline_source"]["logs"]]

    def items(self) -> list[Item]:
        """Return every item accepted."""
        return [_item(entry) for entry in self.logs()]

    def ids(self) -> Counter[str]:
        """Return how often each notification was accepted."""
        return Counter(id_of(item) for item in self.items())


def _item(entry: Item) -> Item:
    item: Item = read_object(base64.b64decode(entry["data"]))
    return item


class ImporterHarness:
    """One bucket, one Pub/Sub and one SecOps, and processes of the importer that start and end."""

    def __init__(self) -> None:
        self.now = Clock()
        self.bucket = MemoryBucket(now=self.now)
        self.pubsub = MemoryPublisher()
        self.secops = SecOpsDouble()
        self.limits = LIMITS
        self.clean = True
        self.feeds: list[ForwardedFeed] = []

    def streams(self) -> list[Stream]:
        """Return the streams of the importer's revision."""
        return []

    def importer(self, life: CrashSchedule | None = None, *, limits: Limits | None = None) -> Importer:
        """Return the importer of a new process."""
        bucket, publisher = self.edges(life)
        deliveries = Deliveries(
            secops=self.secops,
            bucket=bucket,
            publisher=publisher,
            form=Form(clean=self.clean),
            limits=limits or self.limits,
            now=self.now,
        )
        return Importer(bucket=bucket, deliveries=deliveries, streams=self.streams(), feeds=self.feeds, now=self.now)

    def edges(self, life: CrashSchedule | None) -> tuple[Bucket, Publisher]:
        """Return the bucket and the publisher of a process that may die."""
        if life is None:
            return self.bucket, self.pubsub
        return MortalBucket(self.bucket, life), MortalPublisher(self.pubsub, life)


class ForwarderHarness(ImporterHarness):
    """One source in addition, and processes of the poll too."""

    def __init__(self) -> None:
        super().__init__()
        self.source = NotificationSource()
        self.page_size = 40
        self.stream = STREAM
        # Whether the importer's revision has the stream.
        self.switched_on = True
        self.second_look = timedelta(hours=24)

    def poller(self, life: CrashSchedule | None = None, deadline: timedelta = timedelta(minutes=4)) -> Poller:
        """Return the poller of a new process."""
        bucket, publisher = self.edges(life)
        return Poller(
            source=MortalSource(self.source, life) if life else self.source,
            bucket=bucket,
            publisher=publisher,
            form=Form(clean=self.clean),
            limits=self.limits,
            now=self.now,
            deadline=deadline,
            page_size=self.page_size,
            second_look=self.second_look,
        )

    def streams(self) -> list[Stream]:
        """Return the stream, if it is on."""
        return [self.stream] if self.switched_on else []

    def poll(self) -> None:
        """Poll once in a process that does not die."""
        self.poller().poll(self.stream)

    def messages(self) -> list[IocPageLanded]:
        """Return the messages about pages, in order."""
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
        """Compare the log with the source: every notification is in exactly one page, and every page is published."""
        assert self.logged() == Counter(id_of(item) for item in self.source.items)
        published = {message.sequence for message in self.messages()}
        assert published == {page.head.sequence for page in self.pages()}


def changed(stream: Stream, **fields: object) -> Stream:
    """Return a stream with other settings."""
    return Stream.model_validate({**stream.model_dump(), **fields})
