"""The accounts of a stream: what is in two pages."""

from shared.operations.stream_accounts import PageAccount, StreamAccounts
from shared.streams.delivery_progress import Delivery


def accounts(*keys: str, returning: bool) -> StreamAccounts:
    """Return the accounts of pages with a key each."""
    pages = (PageAccount(number, (key,), Delivery(items=1, done=1, accepted=1)) for number, key in enumerate(keys, 1))
    return StreamAccounts(tuple(pages), returning=returning)


def test_a_key_in_two_pages_is_a_mismatch() -> None:
    """Versions of a dated item never come again."""
    assert list(accounts("a 1", "a 2", "a 1", returning=False).mismatches()) == ["1 items are in two pages"]


def test_an_issue_may_return_to_an_earlier_version() -> None:
    """Only one that follows itself has come twice."""
    assert not list(accounts("a 1 x", "b 1 x", "a 1 y", "a 1 x", returning=True).mismatches())
    assert accounts("a 1 x", "b 1 x", "a 1 x", returning=True).repeated == 1
