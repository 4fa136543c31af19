"""The accounts at the end of the demo, on a terminal of 80 columns."""

from collections.abc import Iterator
from io import StringIO
from typing import cast

import pytest

from infra.local.demo.show import _FIGURES, show_accounts
from shared.operations.accounts import FeedAccounts
from shared.runtime.terminal import terminal

FEEDS = ("domains", "file_behaviours", "files", "ip_addresses", "urls", "threat_lists")


class Accounts:
    """Accounts with large figures."""

    def report(self) -> dict[str, int | bool]:
        """Return the figures."""
        return {**dict.fromkeys(_FIGURES, 12), "lines": 123_456_789, "balanced": True}

    def mismatches(self) -> Iterator[str]:
        """Yield nothing."""
        yield from ()


@pytest.mark.parametrize(("count", "tables"), [(1, 1), (2, 1), (6, 2)])
def test_accounts_of_many_feeds_fit_80_columns(count: int, tables: int) -> None:
    """Every name and figure is complete; feeds that do not fit are in a second table."""
    console = terminal()
    console.file, console.width = StringIO(), 80
    show_accounts({name: cast("FeedAccounts", Accounts()) for name in FEEDS[:count]}, console)
    text = console.file.getvalue()
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in text
    for name in FEEDS[:count]:
        assert sum(f" {name} " in row for row in lines) == 1
    assert (text.count(" 123456789 "), text.count("accounts")) == (count, tables)
