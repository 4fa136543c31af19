"""Pages whose message was lost are told of again, with growing patience, until somebody has delivered them."""

from datetime import timedelta

import pytest

from shared.messages import IocPageLanded
from shared.outcomes import Poison
from shared.secops.errors import ImportRefused
from shared.secops.pages import PageLog, Published, PublishedStore
from tests.doubles import NOON
from tests.streams import World


@pytest.fixture
def world() -> World:
    """Return a world with one page whose message is lost."""
    world = World()
    world.source.add(NOON)
    world.poll()
    world.pubsub.published.clear()
    return world


def told(world: World, **after: float) -> list[int]:
    """Let time pass and poll, and return the pages that were told of."""
    world.now.advance(**after)
    world.pubsub.published.clear()
    world.poll()
    return [message.sequence for message in world.messages()]


def landed(world: World, sequence: int) -> IocPageLanded:
    """Return the message of a page, which was published and is lost."""
    page = PageLog(world.bucket, world.stream.name).read(sequence)
    assert page
    return PageLog(world.bucket, world.stream.name).message(page.head, len(page.items))


def hint(world: World) -> Published:
    """Return the stream's hint."""
    return PublishedStore(world.bucket, world.stream.name).read()[0]


def test_a_page_that_nobody_delivers_is_told_of_again(world: World) -> None:
    """After an hour and not before, then after two, four and eight: a long outage does not multiply messages."""
    assert [told(world, minutes=20) for _ in range(3)] == [[], [], [1]]
    hours = [told(world, hours=1) for _ in range(15)]
    assert [number for number, pages in enumerate(hours, 2) if pages] == [2, 4, 8, 16]


def test_a_lost_message_is_made_up_for(world: World) -> None:
    """What was told of again is delivered, and never told of any more."""
    assert told(world, minutes=61) == [1]
    world.importer().handle(world.messages()[0])
    assert sum(world.secops.ids().values()) == 1
    assert [told(world, hours=hours) for hours in (2, 4, 8)] == [[], [], []]
    assert hint(world).settled == 1


def test_what_was_given_up_is_left_to_the_operator(world: World) -> None:
    """A refusal is an answer; telling of it again would only be refused again."""
    assert told(world, minutes=61) == [1]
    world.secops.answers = [(ImportRefused("403"), False)]
    with pytest.raises(Poison, match="403"):
        world.importer().handle(world.messages()[0])
    assert told(world, hours=5) == []
    assert hint(world).settled == 1


def test_a_page_in_the_middle_is_found(world: World) -> None:
    """Those around it are delivered; the hint stays before the one that is not, and goes on when it is."""
    world.importer().handle(landed(world, 1))
    for number in (2, 3):
        world.source.add(NOON + timedelta(minutes=number))
        world.now.advance(minutes=number)
        world.poll()
    world.importer().handle(landed(world, 3))
    assert told(world, minutes=70) == [2]
    assert hint(world).settled == 1
    world.importer().handle(world.messages()[0])
    told(world, minutes=20)
    assert hint(world).settled == 3
