"""Which version of every issue is known: from the log, and from an object that has the log up to a page."""

import pytest

from services.secops_forwarder.poll.known_versions import KnownVersions, identity_of
from services.secops_forwarder.poll.page_buffer import NewItem
from shared.contracts.outcomes import Misconfigured
from shared.streams.issue_progress import Versions
from shared.streams.page_log import PageHead, PageLog
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket
from tests.support.pages import page_head

STREAM = "asm_issues"
NAME = f"state/streams/versions/{STREAM}.json"


def head(sequence: int, *keys: str) -> PageHead:
    """Return the head of a page with these keys."""
    return page_head(sequence, NOON, STREAM).model_copy(update={"seen": dict.fromkeys(keys, NOON)})


def log_of(bucket: MemoryBucket, *pages: tuple[str, ...]) -> PageLog:
    """Return a log with these keys in its pages."""
    pages_log = PageLog(bucket, STREAM)
    for sequence, keys in enumerate(pages, 1):
        pages_log.append(head(sequence, *keys), [])
    return pages_log


def known(bucket: MemoryBucket, last: int = 0) -> KnownVersions:
    """Return what a poll knows after the last page."""
    versions = KnownVersions(bucket, STREAM, PageLog(bucket, STREAM))
    assert versions.catch_up(last, lambda: False)
    return versions


def item(key: str) -> NewItem:
    """Return an item with a key."""
    return NewItem(key, NOON, b"{}", None)


def stored(bucket: MemoryBucket) -> Versions:
    """Return the object."""
    found = bucket.read(NAME)
    assert found
    return Versions.model_validate_json(found.data)


def test_the_last_version_of_the_log_is_known() -> None:
    """One that was there before comes again."""
    bucket = MemoryBucket()
    log_of(bucket, ("a 1 x", "b 1 x"), ("a 1 y",))
    versions = known(bucket, 2)
    assert [versions.is_new(item(key)) for key in ("a 1 y", "b 1 x", "a 2 x")] == [False, False, True]
    assert versions.is_new(item("a 1 x"))
    assert not versions.is_new(item("a 1 x"))


def test_what_was_buffered_is_forgotten_with_another_polls_page() -> None:
    """It was not appended."""
    bucket = MemoryBucket()
    versions = known(bucket)
    assert versions.is_new(item("a 1 x"))
    log_of(bucket, ("b 1 x",))
    versions.catch_up(1, lambda: False)
    assert versions.is_new(item("a 1 x"))
    assert not versions.is_new(item("b 1 x"))


def test_the_object_saves_reading_the_log() -> None:
    """It is written after 20 pages or a sweep, and only pages behind it are read."""
    bucket = MemoryBucket()
    log_of(bucket, *(("a 1 x", f"{number} 1 x") for number in range(19)))
    known(bucket, 19).save(sweeping=False)
    assert bucket.read(NAME) is None
    known(bucket, 19).save(sweeping=True)
    assert stored(bucket).sequence == 19
    for name in list(bucket.names("streams/")):
        bucket.delete(name)
    assert not known(bucket, 19).is_new(item("a 1 x"))


def test_a_log_that_takes_too_long_is_read_over_several_polls() -> None:
    """The object has what was read."""
    bucket = MemoryBucket()
    log_of(bucket, *((f"{number} 1 x",) for number in range(50)))
    reads = 0

    def late() -> bool:
        nonlocal reads
        reads += 1
        return reads % 26 == 0

    for _ in range(3):
        versions = KnownVersions(bucket, STREAM, PageLog(bucket, STREAM))
        finished = versions.catch_up(50, late)
        versions.save(sweeping=False)
    assert finished
    assert stored(bucket).sequence == 50


def test_a_slower_poll_does_not_replace_what_another_one_saved() -> None:
    """The object never goes back."""
    bucket = MemoryBucket()
    log_of(bucket, ("a 1 x",), ("a 1 y",))
    slow = known(bucket, 1)
    known(bucket, 2).save(sweeping=True)
    slow.save(sweeping=True)
    assert stored(bucket).sequence == 2


@pytest.mark.parametrize("sweeps", [30, 31])
def test_an_issue_that_no_sweep_meets_any_more_is_forgotten(sweeps: int) -> None:
    """After 30 completed sweeps of its project, however long they take; so what is kept is bounded."""
    bucket = MemoryBucket()
    log_of(bucket, ("gone 1 x", "there 1 x", "other 2 x"))
    for _ in range(sweeps):
        versions = known(bucket, 1)
        versions.is_new(item("there 1 x"))
        versions.swept("1")
        versions.save(sweeping=False)
    kept = {"there 1", "other 2"} | ({"gone 1"} if sweeps == 30 else set())
    assert set(stored(bucket).versions) == kept
    assert stored(bucket).sweeps == {"1": sweeps}


def test_an_issue_takes_120_bytes() -> None:
    """As documented."""
    bucket = MemoryBucket()
    log_of(bucket, tuple(f"{number:064x} 10101 {'f' * 32}" for number in range(1000)))
    known(bucket, 1).save(sweeping=True)
    found = bucket.read(NAME)
    assert found
    assert 110 <= len(found.data) / 1000 <= 120


def test_an_object_that_cannot_be_read_is_named() -> None:
    """Deleting it costs reading the log once."""
    bucket = MemoryBucket()
    bucket.create(NAME, b"{")
    with pytest.raises(Misconfigured, match="delete it; the log has it too"):
        known(bucket)


def test_an_issue_without_an_id_is_known_by_all_of_it() -> None:
    """Its key has no version apart."""
    assert identity_of("sha256 00ff") == "sha256 00ff"
    assert identity_of("id 10101 00ff") == "id 10101"


def test_a_head_keeps_the_order_of_its_keys() -> None:
    """The last version of an issue in a page is its last key there."""
    bucket = MemoryBucket()
    log_of(bucket, ("a 1 y", "a 1 x"))
    assert not known(bucket, 1).is_new(item("a 1 x"))
