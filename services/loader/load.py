"""Load landed minutes into staging, and record the progress in the ledger."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from services.loader.attempts import Attempts, LoadResult
from services.loader.rejects import names_this_minute
from shared.contracts.contents import Content, Contents
from shared.contracts.interfaces import Bucket, Ledger, LedgerRow
from shared.contracts.messages import FeedMinute, MinuteAbsent, MinuteLanded
from shared.contracts.minutes import (
    expired,
    format_minute,
    history_holds,
    manifest_name,
    oldest_served,
    replay_command,
)
from shared.contracts.outcomes import Poison
from shared.feeds.definition import Feed
from shared.feeds.switched_on import is_feed_on
from shared.warehouse.ledger import ledger_holds
from shared.warehouse.staging import Staging

log = logging.getLogger(__name__)


class Loader:
    """Loads minutes from the bucket into staging.

    Exactness depends on the merge, which identifies a line by its minute and number. Everything here, including the
    ledger rows, may be repeated.
    """

    def __init__(
        self,
        *,
        bucket: Bucket,
        attempts: Attempts,
        ledger: Ledger,
        feeds: Sequence[Feed],
        staging: Staging,
        now: Callable[[], datetime],
    ) -> None:
        self._bucket = bucket
        self._contents = Contents(bucket)
        self._attempts = attempts
        self._ledger = ledger
        self._feeds = {feed.name: feed for feed in feeds}
        self._staging = staging
        self._now = now

    def handle(self, event: MinuteLanded | MinuteAbsent) -> None:
        """Load a minute, or record its absence; raise Poison for permanent failures."""
        if not is_feed_on(event.feed, self._feeds):
            log.info("loader.feed_off: %s is not switched on here, the sweep asks again", event.feed)
            return
        if not ledger_holds(event.minute, self._now()):
            raise Poison("minute_in_future", f"minute {format_minute(event.minute)} is in the future, or years ago")
        if isinstance(event, MinuteAbsent):
            self._record_absent(event)
        else:
            self._load(self._feeds[event.feed], event)

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
        self._refuse_expired(feed, landed)
        self._refuse_changed(landed)
        self._ledger.record([_row("landed", landed, at=landed.landed_at, rejected=landed.rejected)])
        nothing_to_load = landed.lines == landed.rejected
        self._record_loaded(landed, None if nothing_to_load else self._attempts.bring_in(feed, landed))

    def _refuse_impossible(self, landed: MinuteLanded) -> None:
        if landed.rejected > landed.lines:
            raise Poison("invalid_message", f"{landed.rejected} rejected lines of {landed.lines} are impossible")
        if not names_this_minute(self._bucket, landed):
            raise Poison(
                "invalid_message",
                f"{landed.uri!r} is not a landed object of {landed.feed} {format_minute(landed.minute)} "
                f"in bucket {self._bucket.name!r}",
            )

    def _refuse_expired(self, feed: Feed, landed: MinuteLanded) -> None:
        # Only minutes past the source's retention can be older than the minimum that history keeps.
        if landed.minute >= oldest_served(self._now()):
            return
        days = self._staging.history_days(feed)
        if not history_holds(landed.minute, days, self._now()):
            raise Poison("minute_expired", expired(feed.name, landed.minute, days))

    def _refuse_changed(self, landed: MinuteLanded) -> None:
        """Raise Poison if another content of the minute was taken in: the two would mix, line by line."""
        known = (
            self._contents.read(landed.feed, landed.minute)
            or self._content_by_ledger(landed)
            or self._contents.take(landed)
        )
        if known.crc32c != landed.crc32c:
            raise Poison(
                "source_changed",
                f"source changed: {known.uri} with CRC32C {known.crc32c} was taken in, and {landed.uri} has "
                f"{landed.crc32c}; to have its rows in place of the old ones: "
                f"{replay_command(landed.feed, landed.minute, landed.minute, '--replace')}",
            )

    def _content_by_ledger(self, landed: MinuteLanded) -> Content | None:
        # The minute may be older than the records, or its record lost. A query for each fresh one would cost too much.
        if landed.landed_at - landed.minute <= 2 * self._feeds[landed.feed].every().availability:
            return None
        states = self._ledger.states(landed.feed, landed.minute, landed.minute)
        known = [state.crc32c for state in states if state.state in ("loaded", "merged") and state.crc32c]
        return Content(crc32c=known[0], uri="an earlier landing") if known else None

    def _record_loaded(self, landed: MinuteLanded, loaded: LoadResult | None) -> None:
        rejected = landed.rejected + (loaded.refused if loaded else 0)
        job_id = loaded.job_id if loaded else None
        now = self._now()
        merged = loaded.merged if loaded and rejected < landed.lines else 0
        rows = [_row("loaded", landed, at=now, rejected=rejected, job_id=job_id)]
        if merged is not None:
            # The merger will not see this minute: none of its lines is in staging.
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
        crc32c=landed.crc32c,
    )
