"""The source's clock, by which passes through a stream are dated."""

import logging
from datetime import datetime, timedelta

# More than any clock is ahead: a Date before that is a proxy's error.
_MAX_AHEAD = timedelta(days=1)
# A Date has whole seconds, and the request takes some.
_NOTABLY_AHEAD = timedelta(minutes=1)

log = logging.getLogger(__name__)


def by_the_source(ours: datetime, answered: datetime | None) -> datetime:
    """Return when a pass began by the source's clock, if that is earlier than ours: by at most a day.

    The next pass begins before the end of this one. By a clock that is ahead of the source's, it would begin after
    items that the source dates in between. Beginning earlier only means reading items again.
    """
    if answered is None or answered >= ours:
        return ours
    if ours - answered > _NOTABLY_AHEAD:
        log.warning("secops.clock_ahead: by %.0f s, as the source's Date says", (ours - answered).total_seconds())
    return max(answered, ours - _MAX_AHEAD)
