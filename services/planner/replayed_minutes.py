"""The minutes of accepted replays: copied into the ledger, and deleted once each of them has a final state."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from shared.contracts.interfaces import LedgerRow, LedgerWriter, MinuteState
from shared.contracts.minutes import EVERY_MINUTE, HORIZON, Period
from shared.operations.accepted_replays import AcceptedReplays, OpenReplays

# Rows of one insertAll request (cloud.google.com/bigquery/quotas recommends 500).
_ROWS = 500


def copy_into_ledger(
    ledger: LedgerWriter, feed: str, asked: Mapping[datetime, datetime], known: Iterable[MinuteState]
) -> None:
    """Record the requested minutes that the ledger does not have, so that they outlive the bucket's record."""
    there = {one.minute for one in known}
    rows = [LedgerRow("asked", at, feed, minute) for minute, at in sorted(asked.items()) if minute not in there]
    for start in range(0, len(rows), _ROWS):
        ledger.record(rows[start : start + _ROWS])


def close_finished(
    store: AcceptedReplays,
    opened: OpenReplays,
    known: Sequence[MinuteState],
    now: datetime,
    period: Period = EVERY_MINUTE,
) -> None:
    """Delete the replays whose minutes are all merged, absent, or dead for good.

    A dead minute is so once the source has deleted it, and of a source that deletes nothing a week after the request.
    """
    ended = {one.minute for one in known if one.state in ("merged", "absent")}
    dead = {one.minute for one in known if one.state == "dead"}
    expired = {minute for minute in dead if not period.still_has(minute, now)}
    for name, replay in opened.replays.items():
        if (ended | (dead if now - replay.at > HORIZON else expired)).issuperset(replay.minutes()):
            store.close(name)
