"""Take landed minutes into staging, and tell the ledger how far each has come."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from services.loader.attempts import Attempts, Loaded
from services.loader.rejects import names_this_minute
from shared.feeds.definition import Feed
from shared.messages import FeedMinute, MinuteAbsent, MinuteLanded
from shared.minutes import format_minute, manifest_name
from shared.outcomes import Poison
from shared.ports import Bucket, LedgerReader, LedgerRow, LedgerWriter
from shared.warehouse.ledger import ledger_holds

log = logging.getLogger(__name__)


class Ledger(LedgerReader, LedgerWriter, Protocol):
    """The ledger, read and written."""


class Loader:
    """Takes minutes from the bucket into staging.

    Exactness rests on the merge, which knows a line by its minute and number. What is done here, the ledger's rows
    included, may be done any number of times.
    """

    def __init__(
        self,
        *,
        bucket: Bucket,
        attempts: Attempts,
        ledger: Ledger,
        feeds: Sequence[Feed],
        now: Callable[[], datetime],
    ) -> None:
        self._bucket = bucket
        self._attempts = attempts
        self._ledger = ledger
        self._feeds = {feed.name: feed for feed in feeds}
        self._now = now

    def handle(self, event: MinuteLanded | MinuteAbsent) -> None:
        """Load a minute, or record that there is none; raise Poison for what no repetition can mend."""
        feed = self._feed_of(event)
        if isinstance(event, MinuteAbsent):
            self._record_absent(event)
        else:
            self._load(feed, event)

    def _feed_of(self, event: FeedMinute) -> Feed:
        feed = self._feeds.get(event.feed)
        if feed is None:
            raise Poison(f"feed {event.feed!r} is not switched on here; FEEDS has {', '.join(self._feeds) or 'none'}")
        if not ledger_holds(event.minute, self._now()):
            raise Poison(f"minute {format_minute(event.minute)} lies in the future, or years back")
        return feed

    def _record_absent(self, absent: MinuteAbsent) -> None:
        if self._has_landed(absent):
            log.info("loader.absent_ignored: the minute has landed")
            return
        self._ledger.record([LedgerRow("absent", absent.checked_at, absent.feed, absent.minute)])
        log.info("loader.absent")

    def _has_landed(self, event: FeedMinute) -> bool:
        if self._bucket.read(manifest_name(event.feed, event.minute)) is not None:
            return True
        states = self._ledger.states(event.feed, event.minute, event.minute)
        return any(state.state in ("landed", "loaded", "merged") for state in states)

    def _load(self, feed: Feed, landed: MinuteLanded) -> None:
        self._refuse_impossible(landed)
        self._ledger.record([_row("landed", landed, at=landed.landed_at, rejected=landed.rejected)])
        nothing_to_load = landed.lines == landed.rejected
        self._record_loaded(landed, None if nothing_to_load else self._attempts.bring_in(feed, landed))

    def _refuse_impossible(self, landed: MinuteLanded) -> None:
        if landed.rejected > landed.lines:
            raise Poison(f"{landed.rejected} rejected lines of {landed.lines} cannot be")
        if not names_this_minute(self._bucket, landed):
            raise Poison(
                f"{landed.uri!r} is no landed object of {landed.feed} {format_minute(landed.minute)} "
                f"in bucket {self._bucket.name!r}"
            )

    def _record_loaded(self, landed: MinuteLanded, loaded: Loaded | None) -> None:
        rejected = landed.rejected + (loaded.refused if loaded else 0)
        job_id = loaded.job_id if loaded else None
        now = self._now()
        merged = loaded.merged if loaded and rejected < landed.lines else 0
        rows = [_row("loaded", landed, at=now, rejected=rejected, job_id=job_id)]
        if merged is not None:
            # The merger will not meet this minute: none of its lines waits in staging.
            rows.append(_row("merged", landed, at=now, rejected=rejected, job_id=job_id, rows=merged))
        self._ledger.record(rows)
        log.info("loader.loaded: %d lines, %d rejected", landed.lines, rejected)


def _row(
    event: str, landed: MinuteLanded, *, at: datetime, rejected: int, job_id: str | None = None, rows: int | None = None
) -> LedgerRow:
    return LedgerRow(
        event,
        at,
        landed.feed,
        landed.minute,
        lines=landed.lines,
        rejected=rejected,
        bytes=landed.bytes,
        rows=rows,
        uri=landed.uri,
        job_id=job_id,
    )
