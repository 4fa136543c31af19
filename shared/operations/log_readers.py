"""Readers of all logs that go to SecOps: those of the streams, and the landings of feeds."""

from datetime import datetime

from shared.contracts.interfaces import Bucket
from shared.operations.landing_reader import LandingReader
from shared.operations.stream_log import StreamLog, StreamReader
from shared.streams.definition import known_streams
from shared.streams.forwarded import FORWARDED_FEEDS


class LogReaders:
    """Reads the logs of all streams and feeds that have one."""

    def __init__(self, bucket: Bucket) -> None:
        self._readers: list[StreamReader | LandingReader] = [StreamReader(bucket, name) for name in known_streams()]
        self._readers += [LandingReader(bucket, name) for name in FORWARDED_FEEDS]

    def read(self, now: datetime) -> list[StreamLog]:
        """Return the recent part of every log, by the name of its stream or feed."""
        return [log for reader in self._readers if (log := reader.read(now))]
