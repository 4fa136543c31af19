"""The log of pages: what a stream has brought, in objects that are created once and never changed.

`streams/<stream>/pages/<sequence>.json` holds items nobody has seen before, and all that is needed to go on after it.
So where the forwarder stands is a function of the last page, and never of something saved beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from shared.json_bytes import read_json, read_object, write_json
from shared.messages import IocPageLanded
from shared.outcomes import Misconfigured
from shared.ports import Bucket
from shared.problems import problems
from shared.streams import JsonObject


class NotAPage(Misconfigured):
    """An object that should hold a page holds something else."""


class PageHead(BaseModel):
    """A page without its items.

    filter is the one its walk has used, and cursor leads on in that walk (None: the next walk begins anew), to items
    that this page may hold in part. since is where the next walk begins; seen has every key from there on, and from
    where the cursor leads, with its date. began is when the walk began.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    stream: str
    sequence: int
    signature: str
    filter: str
    cursor: str | None
    began: AwareDatetime
    since: AwareDatetime
    watermark: AwareDatetime
    first_date: AwareDatetime | None
    last_date: AwareDatetime | None
    landed_at: AwareDatetime
    seen: dict[str, AwareDatetime]


@dataclass(frozen=True)
class Page:
    """One page: its head, and its raw items, each as JSON.

    They are read one by one: the values of all of them at once would take much more memory, and longer.
    """

    head: PageHead
    items: tuple[bytes, ...]

    def item(self, position: int) -> JsonObject:
        """Return an item; raise NotAPage when it is no JSON."""
        try:
            return read_object(self.items[position])
        except ValueError as error:
            raise NotAPage(
                f"item {position} of page {self.head.sequence} of {self.head.stream!r} is no JSON: {error}"
            ) from None


_STORED = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Stored",
        [
            *((name, object, msgspec.UNSET) for name in PageHead.model_fields),
            ("items", list[msgspec.Raw] | None, None),
        ],
    )
)


def write_page(head: PageHead, items: Iterable[bytes]) -> bytes:
    """Return the content of the object that holds these items, each of them JSON."""
    return b'%b,"items":[%b]}' % (head.model_dump_json().encode()[:-1], b",".join(items))


def read_page(data: bytes, uri: str) -> Page:
    """Read an object's content; raise NotAPage when it is none."""
    try:
        content, items = _cut(data)
        head = PageHead.model_validate(content)
    except ValidationError as error:
        raise NotAPage(f"{uri} is no page: {problems(error)}") from None
    except ValueError as error:
        raise NotAPage(f"{uri} is no JSON: {error}") from None
    if items is None or not all(item.startswith(b"{") for item in items):
        raise NotAPage(f"{uri} is no page: it has no list of items")
    return Page(head, items)


def _cut(data: bytes) -> tuple[object, tuple[bytes, ...] | None]:
    """Return what stands beside the items, and the items as they are, or None where there is no list of them."""
    try:
        stored = _STORED.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return _cut_slowly(data)
    content = msgspec.structs.asdict(stored)
    items = content.pop("items")
    head = {name: value for name, value in content.items() if value is not msgspec.UNSET}
    return head, None if items is None else tuple(map(bytes, items))


def _cut_slowly(data: bytes) -> tuple[object, tuple[bytes, ...] | None]:
    content = read_json(data)
    items = content.get("items") if isinstance(content, dict) else None
    return content, tuple(map(write_json, items)) if isinstance(items, list) else None


class PageLog:
    """One stream's pages in a bucket."""

    def __init__(self, bucket: Bucket, stream: str) -> None:
        self._bucket = bucket
        self._stream = stream

    def read(self, sequence: int) -> Page | None:
        """Return a page, or None when the log has not come to it."""
        name = page_name(self._stream, sequence)
        stored = self._bucket.read(name)
        if stored is None:
            return None
        page = read_page(stored.data, self._bucket.uri(name))
        if (page.head.stream, page.head.sequence) != (self._stream, sequence):
            raise NotAPage(f"{self._bucket.uri(name)} is page {page.head.sequence} of stream {page.head.stream!r}")
        return page

    def append(self, head: PageHead, items: Iterable[bytes]) -> bool:
        """Create a page; return False when its place is taken."""
        return self._bucket.create(page_name(self._stream, head.sequence), write_page(head, items))

    def message(self, head: PageHead, items: int) -> IocPageLanded:
        """Return the message that tells of a page of so many items."""
        return landed_message(head, items, self._bucket.uri(page_name(self._stream, head.sequence)))


def page_name(stream: str, sequence: int) -> str:
    """Return a page's object; padded, so that a listing is in the order of the log."""
    return f"{pages_folder(stream)}{sequence:010d}.json"


def pages_folder(stream: str) -> str:
    """Return what the names of all pages of a stream begin with."""
    return f"streams/{stream}/pages/"


def landed_message(head: PageHead, items: int, uri: str) -> IocPageLanded:
    """Return the message that tells of a page at an address."""
    return IocPageLanded(
        stream=head.stream,
        sequence=head.sequence,
        uri=uri,
        items=items,
        first_date=head.first_date,
        last_date=head.last_date,
        landed_at=head.landed_at,
    )


class Published(BaseModel):
    """Only a hint where to look: up to which page every message has been published, and up to which all are settled.

    swept_at is when somebody last looked for pages that nobody delivers.
    """

    model_config = ConfigDict(frozen=True)

    published: int = 0
    settled: int = 0
    swept_at: AwareDatetime | None = None


class PublishedStore:
    """The hint of one stream in a bucket."""

    def __init__(self, bucket: Bucket, stream: str) -> None:
        self._bucket = bucket
        self._name = f"state/streams/{stream}.json"

    def read(self) -> tuple[Published, int]:
        """Return the hint and its generation; a lost one means to look from the first page on."""
        stored = self._bucket.read(self._name)
        if stored is None:
            return Published(), 0
        try:
            return Published.model_validate_json(stored.data), stored.generation
        except ValidationError as error:
            raise Misconfigured(
                f"{self._bucket.uri(self._name)} cannot be read: {problems(error)}; delete it"
            ) from None

    def save(self, hint: Published, generation: int) -> bool:
        """Replace the hint read at this generation; return False when another run was faster."""
        return self._bucket.replace(self._name, hint.model_dump_json().encode(), generation)
