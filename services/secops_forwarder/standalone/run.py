"""`gti-mesh secops run` and `replay`: every page is delivered as soon as it is in the log.

The log, the deliveries and the dead letters are the same objects as those of the services. A failed delivery ends the
poll before the page counts as published, so the next run begins with it.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from pydantic import model_validator

from services.secops_forwarder.build import build_importer, build_poller, build_secops
from services.secops_forwarder.poll.log_type_check import LogTypeCheck
from services.secops_forwarder.settings import POLL_MINUTES, SecOpsSettings
from services.secops_forwarder.standalone.bucket import standalone_bucket, without_bucket
from services.secops_forwarder.standalone.publisher import InProcessPublisher
from shared.contracts.interfaces import Bucket
from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import MeshError
from shared.operations.replay_pages import replay_pages
from shared.runtime.settings import read_settings
from shared.streams.definition import Stream

_EVERY_SECONDS = POLL_MINUTES * 60

PrintLine = Callable[[str], None]


class StandaloneSettings(SecOpsSettings):
    """The forwarder's settings, with an instance."""

    needs_instance: ClassVar[bool] = True

    @model_validator(mode="after")
    def _nothing_is_for_bigquery(self) -> "StandaloneSettings":
        if self.streams_to_bigquery:
            raise ValueError("STREAMS_TO_BIGQUERY: this command has no BigQuery; leave it out, or run the mesh")
        return self


class DeliverySettings(StandaloneSettings):
    """The settings for delivering pages that have landed, without VirusTotal's key."""

    needs_api_key: ClassVar[bool] = False


class Forwarder:
    """Forwards streams in this process."""

    def __init__(self, settings: SecOpsSettings, bucket: Bucket, say: PrintLine) -> None:
        self._streams = settings.streams()
        self._publisher, self._say = in_process(settings, bucket), say
        self._poller = build_poller(settings, bucket, self._publisher)
        self._log_types = LogTypeCheck(build_secops(settings), bucket, utc_now)

    def run(self) -> bool:
        """Forward every stream; return whether each of them succeeded."""
        forwarded = [self._forward(stream) for stream in self._streams]
        report_dead(self._publisher, self._say)
        return all(forwarded)

    def _forward(self, stream: Stream) -> bool:
        self._publisher.accepted = 0
        try:
            if news := self._log_types.check(stream):
                self._say(f"{stream.name}: {news}")
            return self._poll(stream)
        except (MeshError, OSError) as error:
            # An error of a file, such as a full disk, may pass until the next round.
            self._say(
                f"{stream.name}: stopped: {_reason(error)}; {self._accepted()}, the next run continues from there"
            )
            return False

    def _poll(self, stream: Stream) -> bool:
        polled = self._poller.poll(stream)
        if polled.paused:
            self._say(f"{stream.name}: not asked for, after a refusal of the source")
            return True
        more = "" if polled.finished else "; time limit reached, the next run continues"
        new = f"{polled.notifications} new notifications in {polled.pages} pages"
        self._say(f"{stream.name}: {new}, {self._accepted()}{more}")
        return True

    def _accepted(self) -> str:
        return f"{self._publisher.accepted} accepted by SecOps"


def _reason(error: MeshError | OSError) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot use {error.filename}: {error.strerror}"
    return str(error)


def run_standalone(
    folder: Path | None,
    *,
    once: bool,
    say: PrintLine,
    with_mesh: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Forward every stream, once or until interrupted; return whether the last round succeeded."""
    if folder:
        without_bucket()
    settings = read_settings(StandaloneSettings)
    forwarder = Forwarder(settings, standalone_bucket(settings, folder, with_mesh=with_mesh), say)
    while True:
        done = forwarder.run()
        if once:
            return done
        pause(_EVERY_SECONDS)


def in_process(settings: SecOpsSettings, bucket: Bucket) -> InProcessPublisher:
    """Return a publisher that delivers."""
    publisher = InProcessPublisher(bucket)
    publisher.deliver = build_importer(settings, bucket, publisher).handle
    return publisher


def report_dead(publisher: InProcessPublisher, say: PrintLine) -> None:
    """Report the dead letters since the last report."""
    while publisher.dead:
        say(f"dead letter: {publisher.dead.pop(0)}")


def replay_standalone(bucket: Bucket, stream: str, first: int, last: int, say: PrintLine) -> bool:
    """Deliver pages again, both ends included; return whether none became a dead letter."""
    publisher = in_process(read_settings(DeliverySettings), bucket)
    count = replay_pages(bucket, publisher, stream, first, last)
    say(f"{count} pages of {stream}: {publisher.accepted} notifications accepted by SecOps")
    good = not publisher.dead
    report_dead(publisher, say)
    return good
