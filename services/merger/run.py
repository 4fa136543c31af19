"""One run of the merger: every feed is merged, and what is due is folded in the time that is left."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from services.merger.fold import Folder, FoldResult
from services.merger.merge import Merger
from services.merger.settings import MergerSettings
from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import MeshError
from shared.feeds.definition import Feed, find_feed
from shared.runtime.http_responses import JsonAnswer, json_answer, run_each
from shared.runtime.logs import log_context
from shared.runtime.turns import Turns

log = logging.getLogger(__name__)

# The schedule waits 1,800 s; the rest is for the answer.
_REQUEST = timedelta(seconds=1740)


def run(
    settings: MergerSettings, merger: Merger, folder: Folder, *, now: Callable[[], datetime] = utc_now
) -> JsonAnswer:
    """Merge and fold; a merge that fails makes the answer a 500."""
    last = now() + _REQUEST
    turns = Turns(settings.feeds, now=now, every=timedelta(minutes=settings.every_minutes), run=settings.deadline)
    merged, failed = run_each(
        turns.names, lambda feed: merger.merge(find_feed(feed), turn=turns.until(feed), end=turns.end)
    )
    folds = {}
    for feed in turns.names:
        if fold := _fold(folder, find_feed(feed), lambda: now() + settings.fold_deadline, last):
            folds[feed] = fold
    return json_answer({**merged, **({"folds": folds} if folds else {})}, 500 if failed else 200)


def _fold(
    folder: Folder, feed: Feed, deadline: Callable[[], datetime], last: datetime
) -> FoldResult | dict[str, str] | None:
    """Fold a feed, or return None if no fold is due or its deadline would be after the last moment of the run.

    A failed fold is not an error of the run: it changes nothing, and a retry by the schedule would be billed again.
    """
    with log_context(feed=feed.name):
        try:
            if not folder.is_due(feed, end=last):
                return None
            # Only now: to ask what is due takes time too.
            if (end := deadline()) > last:
                log.warning("merger.fold_postponed: the merges have left less time than a fold may take")
                return None
            return folder.fold(feed, end=end)
        except MeshError as error:
            log.error("merger.fold_failed: %s", error, extra={"fields": {"error_type": error.error_type}})
            return {"error": str(error)}
