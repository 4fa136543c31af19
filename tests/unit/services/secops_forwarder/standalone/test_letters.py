"""Dead letters of a folder or bucket are open until an action is recorded."""

from services.secops_forwarder.standalone.letters import DeadLetterFolder
from shared.contracts.dead_letters import given_up
from shared.contracts.messages import IocPageLanded
from shared.contracts.outcomes import Poison
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket


def page(sequence: int) -> IocPageLanded:
    """Return a page's message."""
    return IocPageLanded(
        stream="ioc_stream",
        sequence=sequence,
        uri=f"gs://landing/streams/ioc_stream/pages/{sequence:010d}.json",
        items=1,
        first_date=NOON,
        last_date=NOON,
        landed_at=NOON,
    )


def test_letters_are_listed_newest_first_until_they_are_handled() -> None:
    """With type, reason and message; a letter of a page that is given up again is open again."""
    clock = Clock()
    bucket = MemoryBucket(now=clock)
    folder = DeadLetterFolder(bucket)
    for sequence in (1, 2):
        clock.advance(minutes=1)
        assert folder.keep(given_up(page(sequence), Poison("oversize", f"too large: {sequence}"))).endswith(
            f": too large: {sequence}"
        )
    newest, oldest = folder.open()
    assert [newest.reason, oldest.reason] == ["too large: 2", "too large: 1"]
    assert (newest.error_type, newest.redriven) == ("oversize", 0)
    assert IocPageLanded.model_validate_json(newest.message) == page(2)
    folder.close(newest, "discarded", clock())
    assert [letter.id for letter in folder.open()] == [oldest.id]
    folder.keep(given_up(page(2), Poison("secops_refused", "refused")), redriven=1)
    assert [(letter.reason, letter.redriven) for letter in folder.open()] == [("refused", 1), ("too large: 1", 0)]


def test_a_letter_that_is_kept_twice_is_one() -> None:
    """A delivery that is interrupted sets the same item aside again."""
    folder = DeadLetterFolder(MemoryBucket())
    for _ in range(2):
        folder.keep(given_up(page(1), Poison("oversize", "too large")))
    assert len(folder.open()) == 1
