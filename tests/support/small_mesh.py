"""The services of one feed in one process, on the emulators: whatever is published is handled at once."""

import re
import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from services.downloader.bzip2.libbz2 import decompress
from services.downloader.download import Downloader
from services.downloader.spool import Spools
from services.loader.attempts import Attempts
from services.loader.load import Loader
from services.loader.rate_limit import RateLimit
from shared.contracts.interfaces import Outgoing
from shared.contracts.messages import MinuteAbsent, MinuteLanded, MinuteRequested
from shared.contracts.minutes import parse_minute, utc_now
from shared.contracts.outcomes import Poison
from shared.operations.audit import Audit, audit
from shared.operations.findings import Finding
from shared.operations.mesh import Mesh
from shared.operations.replace import replace
from shared.operations.replay import replay, wanted_minutes
from tests.support.doubles import Lists, Source
from tests.support.operations import mesh_of
from tests.support.warehouse import Warehouse


class SmallMesh:
    """Downloader, loader and merger of one feed; `letters` are the messages that were given up, with their reasons."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.source = Source()
        self.letters: list[tuple[Any, Poison]] = []
        feeds = [warehouse.feed]
        bucket = warehouse.bucket
        self.downloader = Downloader(
            source=self.source,
            lists=Lists(),
            bucket=bucket,
            publisher=self,
            spools=Spools(2**20),
            unpack=decompress,
            feeds=feeds,
            now=utc_now,
            deadline=timedelta(seconds=60),
        )
        attempts = Attempts(
            staging=warehouse.staging,
            bucket=bucket,
            now=utc_now,
            deadline=timedelta(minutes=1),
            pace=RateLimit(1000, now=utc_now),
        )
        self.loader = Loader(
            bucket=bucket,
            attempts=attempts,
            ledger=warehouse.ledger,
            feeds=feeds,
            staging=warehouse.staging,
            now=utc_now,
        )

    @property
    def console(self) -> Mesh:
        """What a command would find."""
        mesh = mesh_of(self.warehouse)
        vars(mesh)["publisher"] = self
        return mesh

    def publish(self, *messages: Any) -> int:
        """Handle messages as their subscribers do."""
        for message in messages:
            self._handle(message)
        return len(messages)

    def bring_in(self, minutes: Iterable[datetime]) -> None:
        """Land, load and merge minutes that the source has."""
        for minute in minutes:
            self.publish(MinuteRequested(feed=self.warehouse.feed.name, minute=minute))
        self.warehouse.merge()

    def audit(self, *, deep: bool = True) -> Audit:
        """Audit the feed."""
        [found] = audit(self.console, None, deep=deep, now=utc_now())
        return found

    def mend(self, findings: Iterable[Finding]) -> None:
        """Do what the audit names, each step once, and merge."""
        for finding in findings:
            if finding.remedy.startswith("delete "):
                self._delete(finding)
        for remedy in dict.fromkeys(finding.remedy for finding in findings):
            if not remedy.startswith("delete "):
                self._run(remedy)
        self.warehouse.merge()

    def _delete(self, finding: Finding) -> None:
        [address] = re.findall(r"gs://[^ ;]+", f"{finding.what} {finding.remedy}")
        self.warehouse.bucket.delete(self.warehouse.bucket.name_of(address))

    def _run(self, command: str) -> None:
        words = shlex.split(command)
        match words[:2]:
            case ["gti-mesh", "replay"]:
                self._replay(*words[2:5], options=words[5:])
            case ["gti-mesh", "fold"]:
                self.warehouse.fold()
            case ["gti-mesh", "provision"]:
                self.warehouse.provision()
            case _:
                raise AssertionError(f"no such command: {command}")

    def _replay(self, feed: str, first: str, last: str, *, options: list[str]) -> None:
        minutes = wanted_minutes(self.console, feed, parse_minute(first), parse_minute(last))
        force = "--force" in options
        if "--replace" in options:
            replace(self.console, feed, minutes, force=force, now=utc_now())
        else:
            replay(self.console, feed, minutes, force=force)

    def _handle(self, message: Any) -> None:
        assert not isinstance(message, Outgoing)
        try:
            if isinstance(message, MinuteRequested):
                self.downloader.handle(message)
            elif isinstance(message, MinuteLanded | MinuteAbsent):
                self.loader.handle(message)
        except Poison as poison:
            self.letters.append((message, poison))
