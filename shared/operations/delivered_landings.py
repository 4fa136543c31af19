"""Which landed hours SecOps has: it decides about the dead letters of the subscription that sends them there."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import Misconfigured
from shared.streams.landing_log import landing_delivery, landing_hour, read_landing

# As many connections as the client keeps.
_READERS = 10


def delivered_landings(bucket: Bucket, uris: Iterable[str]) -> frozenset[str]:
    """Return those addresses of landings whose hour is delivered; another landing may have taken their place."""
    wanted = frozenset(uris)
    with ThreadPoolExecutor(_READERS) as readers:
        delivered = zip(wanted, readers.map(partial(_is_delivered, bucket), wanted), strict=True)
        return frozenset(uri for uri, there in delivered if there)


def _is_delivered(bucket: Bucket, uri: str) -> bool:
    feed, hour = bucket.name_of(uri).partition("/")[0], landing_hour(bucket, uri)
    try:
        landed = read_landing(bucket, feed, hour) if hour else None
        return landed is not None and landing_delivery(bucket, landed).finished
    except Misconfigured:
        # The status of the feed names what cannot be read.
        return False
