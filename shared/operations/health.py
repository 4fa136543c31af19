"""The definition of healthy: all thresholds, and the classification of minutes, feeds and pages.

The sweep repairs exactly the troubles defined here, and its figures, `status`, `gaps`, `audit`, the status page and
Terraform's alarms (tests/terraform/test_alarms.py) report exactly those. There is one threshold for a missing minute or
an overdue load: ten minutes, the interval of the sweeps, after which the mesh itself acts. docs/operations.md repeats
the numbers for people.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

from shared.contracts.minutes import AVAILABILITY, EVERY_MINUTE, ONE_MINUTE, Period

Trouble = Literal["never requested", "missing", "never loaded", "never merged", "never counted", "dead"]

# A minute that is past due by this much and not in the ledger is missing.
MISSING_AFTER = timedelta(minutes=10)
# A load takes seconds; a merge comes every 30 minutes, and one of them may fail.
LOAD_OVERDUE = timedelta(minutes=10)
MERGE_OVERDUE = timedelta(minutes=75)
# Availability (60 minutes), grace, and two missed merges; the packages of a feed of hours are older by allowance().
STALE_AFTER = timedelta(minutes=150)
# The reference calls several missing packages in a row an error condition.
MAX_ABSENT_IN_A_ROW = 5
# Half the share above which a package is refused (shared.contracts.reject_policy); a day near it should be
# investigated.
MAX_REJECTED_SHARE = 0.05
# A fold is due at a tenth of base; at a fifth queries pay for it.
MAX_RECENT_SHARE = 0.2
# Whole hours of recent that a fold leaves by default, the current one counted: nothing is inserted into the others.
FOLD_KEEP_HOURS = 2
# The rows of older hours could be folded in each of at least a dozen runs. While much arrives, as in a backfill, recent
# is large for some hours although every fold succeeds.
FOLD_CHANCE_HOURS = 6
FOLD_OLD_HOURS = FOLD_KEEP_HOURS + FOLD_CHANCE_HOURS
# Below this a fold saves nothing (FOLD_MIN_ROWS of the merger).
FOLD_MIN_ROWS = 1_000_000
# Beyond SecOps' own retries and several rounds of backoff; a burst limit can hold a page for minutes.
DELIVERY_OVERDUE = timedelta(minutes=30)
# A poll comes every five minutes and can take ten.
POLL_OVERDUE = timedelta(hours=1)

# For audits: the backlog of an outage that the sweep is still working off is not a mismatch.
# A 404 becomes an absence at most six hours after availability; for a feed of hours allowance() comes on top.
NEVER_LANDED_AFTER = AVAILABILITY + timedelta(hours=7)
UNSETTLED_AFTER = timedelta(hours=3)


def newest_checked(now: datetime, period: Period = EVERY_MINUTE) -> datetime:
    """Return the newest minute that the ledger should know by now."""
    return period.last_due(now - MISSING_AFTER)


def allowance(period: Period) -> timedelta:
    """Return how much older a feed may be than a feed of minutes because of its period."""
    return period.availability - AVAILABILITY + period.length - ONE_MINUTE


def trouble_of(
    minute: datetime,
    state: str,
    at: datetime | None,
    now: datetime,
    *,
    counted: bool = True,
    period: Period = EVERY_MINUTE,
) -> Trouble | None:
    """Return what is wrong with a minute by now, or None.

    `state` is that of the view `minute_status` since `at`, or `due`: requested, and nothing more is known; `at` is then
    the time of the request, if it was late or a replay's; or `unrequested`: the planner has not come to it.
    `counted` is False for a merged minute for which the ledger has no line count.
    """
    match state:
        case "due" | "unrequested":
            return _unknown(state, at, now) if minute <= newest_checked(now, period) else None
        case "landed":
            return "never loaded" if _older_than(LOAD_OVERDUE, at, now) else None
        case "loaded":
            return "never merged" if _older_than(MERGE_OVERDUE, at, now) else None
        case "merged":
            # The ledger was restored between load and merge: the loader counts again, and finds nothing to load.
            return "never counted" if not counted and _older_than(LOAD_OVERDUE, at, now) else None
        case "dead":
            return "dead"
    return None


def _unknown(state: str, requested_late: datetime | None, now: datetime) -> Trouble | None:
    if state == "unrequested":
        return "never requested"
    return None if requested_late and now - requested_late <= MISSING_AFTER else "missing"


def _older_than(patience: timedelta, at: datetime | None, now: datetime) -> bool:
    return at is not None and now - at > patience


def longest_run(minutes: Iterable[datetime], period: Period = EVERY_MINUTE) -> int:
    """Return the length of the longest run of consecutive minutes, or hours."""
    # In a run, minute minus index is constant.
    runs = groupby(enumerate(sorted(minutes)), lambda placed: placed[1] - placed[0] * period.length)
    return max((len(list(run)) for _, run in runs), default=0)


def freshness(first: datetime | None, merged: datetime | None, now: datetime) -> timedelta | None:
    """Return how old a feed is: the age of its newest merged minute, or None for a feed that has not begun.

    The age is at most that of the feed's first minute: older minutes merged by a replay do not count.
    """
    newest = max((minute for minute in (merged, first) if minute), default=None)
    return now - newest if newest else None


def is_stale(age: timedelta | None, period: Period = EVERY_MINUTE) -> bool:
    """Return whether a feed of this age is stale."""
    return age is not None and age > STALE_AFTER + allowance(period)


def is_fold_overdue(old_rows: int, base_rows: int) -> bool:
    """Return whether recent has too many rows, compared with base, that folds have had a chance to take."""
    return old_rows > max(MAX_RECENT_SHARE * base_rows, 2 * FOLD_MIN_ROWS)
