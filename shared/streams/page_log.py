"""The log of pages: a stream's items, in objects that are created once and never changed.

`streams/<stream>/pages/<sequence>.json` holds new items and everything needed to continue after it. So the forwarder's
position depends only on the last page, not on separate state.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, computed_field

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import IocPageLanded
from shared.contracts.outcomes import Misconfigured
from shared.contracts.stored_objects import read_stored
from shared.contracts.validation_errors import describe_errors
from shared.runtime.json_bytes import cut_list, not_json, read_object, write_list
from shared.streams.definition import JsonObject
from shared.streams.issue_progress import ProjectProgress


class NotAPage(Misconfigured):
    """An object that should be a page is not one."""


class PageHead(BaseModel):
    """A page without its items.

    began is the start of the page's pass, and filter the filter of that pass. cursor continues the pass, at items that
    this page may contain in part; if it is None, the next pass starts over. since is where the next pass begins. seen
    has every key from there on, and every key of the cursor's page, each with its date. For a list that is read in
    windows, since is where the first pass began, and seen has only the keys of this page, in their order.
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

    They are parsed one by one: all of them at once would take much more memory and time.
    """

    head: PageHead
    items: tuple[bytes, ...]

    def item(self, position: int) -> JsonObject:
        """Return an item; raise NotAPage if it is not valid JSON."""
        try:
            return read_object(self.items[position])
        except ValueError as error:
            what = f"item {position} of page {self.head.sequence} of {self.head.stream!r}"
            raise NotAPage(not_json(what, error)) from None


def write_page(head: PageHead, items: Iterable[bytes]) -> bytes:
    """Return a page's content with these items, each of them JSON."""
    return write_list(b'%b,"items":[' % head.model_dump_json().encode()[:-1], items, b"]}")


def read_page(data: bytes, uri: str) -> Page:
    """Parse an object's content; raise NotAPage if it is not a page."""
    try:
        content, items = cut_list(data, "items")
        head = PageHead.model_validate(content)
    except ValidationError as error:
        raise NotAPage(f"{uri} is not a page: {describe_errors(error)}") from None
    except ValueError as error:
        raise NotAPage(not_json(uri, error)) from None
    if items is None or not all(item.startswith(b"{") for item in items):
        raise NotAPage(f"{uri} is not a page: it has no list of items")
    return Page(head, items)


def find_page(bucket: Bucket, stream: str, sequence: int) -> Page | None:
    """Return a page of a stream's log, or None if it does not exist; raise NotAPage for another object."""
    name = page_name(stream, sequence)
    stored = bucket.read(name)
    if stored is None:
        return None
    page = read_page(stored.data, bucket.uri(name))
    if (page.head.stream, page.head.sequence) != (stream, sequence):
        raise NotAPage(f"{bucket.uri(name)} is page {page.head.sequence} of stream {page.head.stream!r}")
    return page


class PageLog:
    """One stream's pages in a bucket."""

    def __init__(self, bucket: Bucket, stream: str) -> None:
        self._bucket = bucket
        self._stream = stream

    def read(self, sequence: int) -> Page | None:
        """Return a page, or None if it does not exist yet."""
        return find_page(self._bucket, self._stream, sequence)

    def append(self, head: PageHead, items: Iterable[bytes]) -> bool:
        """Create a page; return False if the page exists already."""
        return self._bucket.create(page_name(self._stream, head.sequence), write_page(head, items))

    def message(self, head: PageHead, items: int) -> IocPageLanded:
        """Return the message for a page with this many items."""
        return landed_message(head, items, self._bucket.uri(page_name(self._stream, head.sequence)))


def page_name(stream: str, sequence: int) -> str:
    """Return the name of a page's object; padded, so that a listing is in the order of the log."""
    return f"{pages_folder(stream)}{sequence:010d}.json"


def pages_folder(stream: str) -> str:
    """Return the prefix of the names of a stream's pages."""
    return f"streams/{stream}/pages/"


def landed_message(head: PageHead, items: int, uri: str) -> IocPageLanded:
    """Return the message for a page at an address."""
    return IocPageLanded(
        stream=head.stream,
        sequence=head.sequence,
        uri=uri,
        items=items,
        first_date=head.first_date,
        last_date=head.last_date,
        landed_at=head.landed_at,
    )


class Look(BaseModel):
    """The daily second look at a stream: when the last one ended, and how far an unfinished one has come.

    It applies to one filter and order, and never looks before `earliest`.
    """

    model_config = ConfigDict(frozen=True)

    signature: str
    earliest: AwareDatetime
    at: AwareDatetime
    reached: AwareDatetime | None = None


class Published(BaseModel):
    """A hint for polls: the page up to which every message is published, and the page up to which all are settled.

    The log is complete before `since`, so no pass needs to begin earlier; before the first page it is the start of the
    first pass. `ended` is the page whose open pass has ended since, and pass_began is when the last completed pass
    began. swept_at is when the last check for undelivered pages began; an interrupted check began at looking_since and
    has reached the page `looked`. walks, as the object calls it, is the progress of issues, by project.
    """

    model_config = ConfigDict(frozen=True)

    published: int = 0
    since: AwareDatetime | None = None
    ended: int = 0
    pass_began: AwareDatetime | None = Field(None, validation_alias=AliasChoices("pass_began", "walked"))
    settled: int = 0
    swept_at: AwareDatetime | None = None
    looking_since: AwareDatetime | None = None
    looked: int = 0
    look: Look | None = None
    walks: dict[str, ProjectProgress] = {}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def walked(self) -> AwareDatetime | None:
        """The name by which earlier revisions read and write pass_began."""
        return self.pass_began


class PublishedStore:
    """The hint of one stream in a bucket."""

    def __init__(self, bucket: Bucket, stream: str) -> None:
        self._bucket = bucket
        self._name = f"state/streams/{stream}.json"

    def read(self) -> tuple[Published, int]:
        """Return the hint and its generation; without one, everything is checked from the first page on."""
        hint, generation = read_stored(self._bucket, self._name, Published, remedy="delete it")
        return hint or Published(), generation

    def save(self, hint: Published, generation: int) -> bool:
        """Replace the hint read at this generation; return False if another run saved first."""
        return self._bucket.replace(self._name, hint.model_dump_json().encode(), generation)
