"""Both halves of the forwarder in one process: every page is delivered as soon as it is in the log.

The log, the deliveries and the dead letters are the same objects as those of the services. What cannot be delivered
ends the poll before the page counts as published, so the next run begins with it.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from services.console.mesh import point_at
from shared.dead_letters import REASON
from shared.folder import FolderBucket
from shared.messages import IOC_PAGES, IocPageLanded, dead_letter_topic
from shared.outcomes import MeshError, Misconfigured, Poison
from shared.ports import Bucket, Outgoing
from shared.secops.build import build_importer, build_poller
from shared.secops.poll import Poller
from shared.secops.settings import SecOpsSettings
from shared.settings import read_settings
from shared.streams import Stream

_EVERY_SECONDS = 300

Say = Callable[[str], None]


class Hand:
    """A publisher that hands pages to whoever delivers them, and keeps dead letters in the bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.deliver: Callable[[IocPageLanded], None] = lambda _: None
        self.dead: list[str] = []

    def publish(self, topic: str, messages: Iterable[Outgoing]) -> int:
        """Deal with every message; whatever is raised is the poll's to end with."""
        given = list(messages)
        for message in given:
            if topic == IOC_PAGES:
                self._hand_over(message)
            else:
                self._keep(topic, message)
        return len(given)

    def _hand_over(self, message: Outgoing) -> None:
        try:
            self.deliver(IocPageLanded.model_validate_json(message.body))
        except Poison as poison:
            dead = Outgoing(message.body, {**message.attributes, REASON: poison.reason})
            self._keep(dead_letter_topic(IOC_PAGES), dead)

    def _keep(self, topic: str, message: Outgoing) -> None:
        content = {"reason": message.attributes.get(REASON), "message": json.loads(message.body)}
        name = f"dead/{topic}/{hashlib.sha256(message.body).hexdigest()[:16]}.json"
        self._bucket.create(name, json.dumps(content).encode())
        self.dead.append(f"{self._bucket.uri(name)}: {content['reason']}")


def run_standalone(folder: Path | None, *, once: bool, say: Say, pause: Callable[[float], None] = time.sleep) -> bool:
    """Forward every stream, once or until interrupted; say whether the last round went well."""
    settings = _settings(folder)
    bucket = FolderBucket(folder) if folder else _landing_bucket(settings)
    hand = Hand(bucket)
    poller = build_poller(settings, bucket, hand)
    hand.deliver = build_importer(settings, bucket, hand).handle
    while True:
        forwarded = [_forward(poller, stream, say) for stream in settings.streams()]
        while hand.dead:
            say(f"dead letter: {hand.dead.pop(0)}")
        if once:
            return all(forwarded)
        pause(_EVERY_SECONDS)


def _settings(folder: Path | None) -> SecOpsSettings:
    if folder:
        point_at({"LANDING_BUCKET": os.environ.get("LANDING_BUCKET") or folder.name})
    settings = read_settings(SecOpsSettings)
    if not settings.on:
        raise Misconfigured("there is nowhere to forward to: set CHRONICLE_CUSTOMER_ID to the SecOps customer id")
    return settings


def _landing_bucket(settings: SecOpsSettings) -> Bucket:
    # Without Cloud Storage its client is not needed.
    from shared.gcp.storage import StorageBucket, storage_client

    return StorageBucket(settings.bucket, storage_client(settings.project, settings.storage_emulator))


def _forward(poller: Poller, stream: Stream, say: Say) -> bool:
    try:
        polled = poller.poll(stream)
    except MeshError as error:
        say(f"{stream.name}: stopped: {error}")
        return False
    more = "" if polled.finished else "; time was up, the next run goes on"
    say(f"{stream.name}: {polled.notifications} new notifications in {polled.pages} pages{more}")
    return True
