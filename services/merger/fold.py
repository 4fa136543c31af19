"""Fold a feed's recent versions into a new generation of its base, when they have become a tenth of it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.merger.transactions import RunSql, Transactions
from shared.contracts.minutes import format_minute
from shared.feeds.definition import Feed
from shared.operations.health import FOLD_CHANCE_HOURS, is_fold_overdue

log = logging.getLogger(__name__)

# A fold reads all of base, and queries read all of recent: at a tenth both costs stay small.
SHARE = 10
# A job may change 4,000 partitions (cloud.google.com/bigquery/quotas); those of recent are hours.
_MAX_HOURS = 3000


@dataclass(frozen=True)
class FoldResult:
    """The generation that a fold has written, the rows it took from recent, and those that base has now."""

    generation: str
    folded_rows: int
    base_rows: int


class Folder:
    """Folds feeds of one dataset, written `project.dataset`.

    A fold is due from `min_rows` in recent on. It leaves `keep_hours` hours of recent, the current one counted.
    """

    def __init__(
        self,
        *,
        run: RunSql,
        dataset: str,
        now: Callable[[], datetime],
        min_rows: int,
        keep_hours: int,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transactions = Transactions(run=run, dataset=dataset, now=now, pause=pause)
        self._min_rows = min_rows
        self._keep_hours = keep_hours

    def is_due(self, feed: Feed, *, end: datetime) -> bool:
        """Return whether recent has become a tenth of base.

        The rows that can be folded are counted only if all rows are enough, because that count is billed.
        """
        rows = self._transactions.read("versions.sql", feed, end)
        recent, base = rows["recent_rows"], rows["base_rows"]
        wanted = max(base / SHARE, self._min_rows)
        if recent < wanted:
            return False
        older = self._transactions.read(
            "foldable.sql", feed, end, keep_hours=self._keep_hours, chance_hours=FOLD_CHANCE_HOURS
        )
        if is_fold_overdue(older["old_rows"], base):
            log.warning("merger.fold_overdue: %d rows wait for a fold, and base has %d", older["old_rows"], base)
        return bool(older["foldable_rows"] >= wanted)

    def fold(self, feed: Feed, *, end: datetime, everything: bool = False) -> FoldResult:
        """Fold in one transaction, which changes nothing if it does not end by `end`.

        `everything` leaves no hour in recent.
        """
        row = self._transactions.transact(
            "fold.sql", feed, end, keep_hours=None if everything else self._keep_hours, max_hours=_MAX_HOURS
        )
        result = FoldResult(format_minute(row["generation"]), row["folded_rows"], row["base_rows"])
        fields = {"folded_rows": result.folded_rows, "base_rows": result.base_rows}
        log.info("merger.folded: %d rows into %d", *fields.values(), extra={"fields": fields})
        return result
