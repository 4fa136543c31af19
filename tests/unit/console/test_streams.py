"""The streams at one moment, from logs that real polls and deliveries have written."""

from datetime import timedelta

import pytest

from services.console.dead import Death
from services.console.replay_pages import replay_pages
from services.console.status import MeshStatus
from services.console.stream_log import MOST_PAGES, StreamReader
from services.console.streams import StreamStatus, stream_status
from shared.outcomes import Misconfigured
from shared.ports import Stored
from shared.secops.chunks import Limits
from shared.secops.delivery import Delivery, delivery_name
from shared.secops.errors import ImportRefused, SecOpsTrouble
from shared.secops.pages import page_name
from tests.doubles import NOON
from tests.streams import World


class CountingWorld(World):
    """A world that writes pages and counts what a look at them reads."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(bytes=3_900_000, logs=2)
        self.reader = StreamReader(self.bucket, self.stream.name)

    def log_pages(self, count: int) -> None:
        """Let a poll write so many pages of two notifications each."""
        before = len(self.source.items)
        self.source.add(*(self.now() - timedelta(minutes=5) + timedelta(seconds=number) for number in range(2 * count)))
        assert len(self.source.items) == before + 2 * count
        self.poll()

    def deliver(self, *sequences: int) -> None:
        """Deliver pages."""
        for message in self.messages():
            if message.sequence in sequences:
                self.importer().handle(message)

    def status(self, *deaths: Death) -> StreamStatus:
        """Look at the stream."""
        log = self.reader.read(self.now())
        assert log
        return stream_status(log, deaths, self.now())


@pytest.fixture
def world() -> CountingWorld:
    """Return a world with three pages, of which the first is delivered."""
    world = CountingWorld()
    world.log_pages(3)
    world.deliver(1)
    return world


def test_a_stream_says_what_is_delivered_and_what_waits(world: CountingWorld) -> None:
    """Pages, notifications, requests, and the dates of the first and the newest."""
    status = world.status()
    assert status.pages == {"delivered": 1, "waiting": 2}
    assert (status.notifications, status.delivered, status.waiting, status.given_up) == (6, 2, 4, 0)
    assert (status.requests, status.held_until, status.freshness_minutes) == (1, None, 0)
    assert status.first_date == NOON - timedelta(minutes=5)
    assert status.last_date == NOON - timedelta(minutes=5) + timedelta(seconds=5)
    assert status.hours == ((NOON, 6, 0),)


def test_pages_that_wait_too_long_are_a_problem_with_one_command(world: CountingWorld) -> None:
    """Neighbours are one range; what is younger than half an hour is on its way."""
    [run] = world.status().undelivered
    assert (run.first, run.last, run.state, run.overdue) == (2, 3, "waiting", False)
    assert list(world.status().problems()) == []
    world.now.advance(minutes=31)
    [problem] = world.status().problems()
    assert problem == (
        "ioc_stream: pages 2 to 3 (4 notifications) not delivered since 11-21 12:00Z; "
        "gti-mesh secops replay ioc_stream 2 3"
    )
    mesh = MeshStatus(world.now(), (), (), (), (world.status(),))
    assert mesh.problems() == [problem]
    world.deliver(2, 3)
    assert list(world.status().problems()) == []


def test_a_page_in_hand_says_until_when(world: CountingWorld) -> None:
    """While a delivery holds its lease, nobody has to do anything."""
    seen: list[StreamStatus] = []
    world.secops.on_post = lambda: seen.append(world.status())
    world.deliver(2)
    assert seen[0].pages == {"delivered": 1, "in hand": 1, "waiting": 1}
    assert seen[0].held_until
    assert seen[0].held_until > world.now()


def test_a_page_given_up_has_the_command_of_its_letter(world: CountingWorld) -> None:
    """Once the ledger tells of it; before that, and after the letter was discarded, the page can be told of again."""
    world.secops.answers = [(ImportRefused("SecOps answered 400: no such log type"), False)]
    with pytest.raises(Exception, match="no such log type"):
        world.deliver(2)
    refused, waiting = world.status().undelivered
    assert (refused.first, refused.state, refused.remedy) == (2, "given up", "gti-mesh secops replay ioc_stream 2 2")
    assert refused.reason
    assert "no such log type" in refused.reason
    assert waiting.first == 3
    letter = Death("17", None, None, "SecOps said no", 1, "secops-import", NOON, None, uri=world.messages()[1].uri)
    assert world.status(letter).undelivered[0].remedy == "gti-mesh dead redrive 17"
    world.now.advance(hours=3)
    assert len(list(world.status(letter).problems())) == 1, "the letter itself is told by the mesh"


def test_a_page_whose_attempts_were_spent_is_given_up(world: CountingWorld) -> None:
    """Its delivery has no reason of its own; the letter has."""
    world.secops.answers = [(SecOpsTrouble("SecOps answered 503"), False)]
    with pytest.raises(SecOpsTrouble):
        world.deliver(2)
    uri = world.messages()[1].uri
    letter = Death("18", None, None, "attempts spent: 100 deliveries", 100, "secops-import", NOON, None, uri=uri)
    assert [run.state for run in world.status().undelivered] == ["waiting"]
    given_up, _ = world.status(letter).undelivered
    assert (given_up.state, given_up.reason) == ("given up", "attempts spent: 100 deliveries")


class CountedReads:
    """Counts what is read of a bucket's objects."""

    def __init__(self, world: World) -> None:
        self.names: list[str] = []
        self._read = world.bucket.read
        world.bucket.read = self  # type: ignore[method-assign, assignment]

    def __call__(self, name: str) -> object:
        """Read an object."""
        self.names.append(name)
        return self._read(name)


def test_a_second_look_reads_only_what_is_not_done() -> None:
    """A page that is delivered is never read again, and a page's items are counted once."""
    world = CountingWorld()
    world.log_pages(30)
    world.deliver(*range(1, 29))
    world.status()
    reads = CountedReads(world)
    assert world.status().notifications == 60
    assert reads.names == ["state/streams/ioc_stream.json"]
    world.deliver(29)
    reads.names.clear()
    world.status()
    assert reads.names == ["state/streams/ioc_stream.json", delivery_name(page_name("ioc_stream", 29))]


def test_of_a_long_log_only_the_end_is_looked_at() -> None:
    """The newest pages, and none that is older than the source's seven days."""
    world = CountingWorld()
    world.log_pages(2)
    world.now.advance(days=8)
    world.log_pages(2)
    assert world.status().pages == {"waiting": 2}
    assert world.status().undelivered[0].first == 3
    done = Delivery(items=2, done=2, accepted=2).model_dump_json().encode()
    page = world.bucket.read(page_name("ioc_stream", 4))
    assert page
    for sequence in range(5, MOST_PAGES + 11):
        world.bucket.create(page_name("ioc_stream", sequence), page.data)
        world.bucket.create(delivery_name(page_name("ioc_stream", sequence)), done)
    world.bucket.objects["state/streams/ioc_stream.json"] = page.__class__(b'{"published":%d}' % (MOST_PAGES + 10), 1)
    fresh = StreamReader(world.bucket, "ioc_stream").read(world.now())
    assert fresh
    assert (len(fresh.pages), fresh.pages[0].sequence) == (MOST_PAGES, 11)


def test_a_spoilt_page_hides_none_of_the_others(world: CountingWorld) -> None:
    """It waits, and what it holds is not counted; the stream's status is not lost with it."""
    newest = page_name("ioc_stream", 3)
    world.bucket.objects[newest] = Stored(b"spoilt", world.bucket.objects[newest].generation)
    status = world.status()
    assert status.pages == {"delivered": 1, "waiting": 2}
    assert (status.notifications, status.first_date) == (4, NOON - timedelta(minutes=5))
    assert status.last_date is None


def test_a_stream_that_never_had_a_page_has_no_status(world: CountingWorld) -> None:
    """Nothing is made up for it."""
    assert StreamReader(world.bucket, "vulnerabilities").read(NOON) is None


def test_pages_can_be_told_of_again(world: CountingWorld) -> None:
    """With the messages of their landing; what is delivered is not sent twice."""
    told = world.messages()
    assert replay_pages(world.bucket, world.pubsub, "ioc_stream", 1, 3) == 3
    assert world.messages()[3:] == told
    world.deliver(1, 2, 3)
    assert set(world.secops.ids().values()) == {1}
    for first, last, text in ((3, 4, "no page 4"), (2, 1, "name the first and the last"), (1, 9999, "at most 2000")):
        with pytest.raises(Misconfigured, match=text):
            replay_pages(world.bucket, world.pubsub, "ioc_stream", first, last)
    with pytest.raises(Misconfigured, match="unknown stream"):
        replay_pages(world.bucket, world.pubsub, "nothing", 1, 1)


def test_a_quiet_stream_still_says_when_it_last_spoke(world: CountingWorld) -> None:
    """Even when its newest page lies before the seven days."""
    world.deliver(2, 3)
    world.now.advance(days=20)
    status = world.status()
    assert (status.pages, status.notifications, status.last_landed) == ({}, 0, NOON)
    assert status.freshness_minutes == 20 * 24 * 60
