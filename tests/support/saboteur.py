"""A saboteur: each trick changes one thing of a balanced mesh behind its back.

A trick is about one minute of its own and says what the audit must answer with: a pattern in which {m} is the minute.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from shared.contracts.manifests import read_manifest
from shared.contracts.messages import MinuteLanded, MinuteRequested
from shared.contracts.minutes import format_minute, manifest_name
from tests.support.doubles import package_of
from tests.support.landed import domain
from tests.support.small_mesh import SmallMesh

# Line 2 of a package is not valid JSON, the others are objects.
GOOD_LINES = (1, 3, 4)
LINES = 4


@dataclass(frozen=True)
class Victim:
    """One merged minute of a mesh, with a chance to choose by."""

    mesh: SmallMesh
    minute: datetime
    chance: Random

    def sql(self, statement: str) -> None:
        """Run a statement with {d} for the dataset, {t}_ for a feed's table, {m}, and the {line} and {id} of a row."""
        line = self.chance.choice(GOOD_LINES)
        warehouse = self.mesh.warehouse
        minute = f"TIMESTAMP '{self.minute:%Y-%m-%d %H:%M}:00 UTC'"
        name = id_of(self.minute, line)
        dataset = warehouse.dataset
        values = {"d": dataset, "t": f"{dataset}.{warehouse.feed.name}", "m": minute, "line": line, "id": name}
        warehouse.run(statement.format(**values))

    @property
    def manifest(self) -> MinuteLanded:
        """The minute's manifest."""
        found = read_manifest(self.mesh.warehouse.bucket, self.mesh.warehouse.feed.name, self.minute)
        assert found
        return found

    def rewrite(self, uri: str, data: bytes | None) -> None:
        """Delete an object, and write it again with other bytes unless these are None."""
        bucket = self.mesh.warehouse.bucket
        bucket.delete(bucket.name_of(uri))
        if data is not None:
            assert bucket.create(bucket.name_of(uri), data)

    def rewrite_manifest(self, data: bytes | None) -> None:
        """The same with the manifest."""
        bucket = self.mesh.warehouse.bucket
        self.rewrite(bucket.uri(manifest_name(self.mesh.warehouse.feed.name, self.minute)), data)


def id_of(minute: datetime, line: int) -> str:
    """Return the id of a line."""
    return f"host-{minute:%H%M}-{line}.example"


def package(minute: datetime, reputation: int = 1) -> bytes:
    """Return a minute's package as the source has it."""
    lines = [
        json.dumps(domain(id_of(minute, line), analysed=int(minute.timestamp()), reputation=reputation)).encode()
        for line in range(1, LINES + 1)
    ]
    lines[1] = b"not json"
    return package_of(lines)


@dataclass(frozen=True)
class Trick:
    """One kind of tampering, by a statement or by other means; deep says that only a look into objects can find it."""

    does: str | Callable[[Victim], None]
    says: str
    deep: bool = False

    def do(self, victim: Victim) -> None:
        """Tamper with a minute."""
        if isinstance(self.does, str):
            victim.sql(self.does)
        else:
            self.does(victim)


def _other_package(victim: Victim) -> None:
    victim.rewrite(victim.manifest.uri, gzip.compress(b""))


def _changed_rejects(victim: Victim) -> None:
    assert victim.manifest.rejects_uri
    victim.rewrite(victim.manifest.rejects_uri, b"{}\n")


def _rejects_gone(victim: Victim) -> None:
    assert victim.manifest.rejects_uri
    victim.rewrite(victim.manifest.rejects_uri, None)


def _other_manifest(victim: Victim) -> None:
    changed = victim.manifest.model_copy(update={"lines": LINES + 3})
    victim.rewrite_manifest(changed.body)


def _source_changed(victim: Victim) -> None:
    """Delete the manifest and fetch the minute again, as old advice had it, after the source has changed it."""
    victim.mesh.source.packages[victim.minute] = package(victim.minute, reputation=2)
    victim.rewrite_manifest(None)
    victim.mesh.publish(MinuteRequested(feed="domains", minute=victim.minute))
    message, poison = victim.mesh.letters[-1]
    assert (message.minute, poison.error_type) == (victim.minute, "source_changed")


def _watermark(victim: Victim) -> None:
    name = "state/planner/domains.json"
    far = format_minute(victim.minute.replace(year=victim.minute.year + 1))
    data = f'{{"first":"{format_minute(victim.minute)}","watermark":"{far}"}}'
    assert victim.mesh.warehouse.bucket.create(name, data.encode())


def _replay_record(victim: Victim) -> None:
    assert victim.mesh.warehouse.bucket.create("state/replays/domains/spoilt.json", b"{")


TRICKS = {
    "an object of history is replaced": Trick(
        'UPDATE {t}_history SET object = JSON \'{{"id": "x"}}\' WHERE feed_minute = {m} AND feed_line = {line}',
        "{m} has other lines in history than in its package",
        deep=True,
    ),
    "a row of history is gone": Trick(
        "DELETE FROM {t}_history WHERE feed_minute = {m} AND feed_line = {line}",
        "{m} has 4 lines, 2 history rows and 1 rejected",
    ),
    "a row of history is there twice": Trick(
        "INSERT INTO {t}_history SELECT * FROM {t}_history WHERE feed_minute = {m} AND feed_line = {line}",
        "{m} has 4 history rows for 3 lines",
    ),
    "a row of history has another number": Trick(
        "UPDATE {t}_history SET feed_line = 99 WHERE feed_minute = {m} AND feed_line = {line}",
        "id .* has a current row of an observation that history does not have",
    ),
    "a row of history is under another minute": Trick(
        "UPDATE {t}_history SET feed_minute = TIMESTAMP_SUB({m}, INTERVAL 2 HOUR)"
        " WHERE feed_minute = {m} AND feed_line = {line}",
        "{m} has 4 lines, 2 history rows and 1 rejected",
    ),
    "a row of history has another id": Trick(
        "UPDATE {t}_history SET id = 'stranger' WHERE feed_minute = {m} AND feed_line = {line}",
        "id stranger is in history and has no current row",
    ),
    "a current row is of nothing": Trick(
        "INSERT INTO {t}_recent (id, merged_at, feed_minute, feed_line)"
        " SELECT 'nothing', merged_at, feed_minute, feed_line FROM {t}_recent WHERE id = '{id}'",
        "id nothing has a current row of an observation that history does not have",
    ),
    "a current row is of a version that never was": Trick(
        "UPDATE {t}_recent SET feed_line = 77 WHERE id = '{id}'",
        "{m} id .* has a current row of an observation that history does not have",
    ),
    "a current row has other columns": Trick(
        "UPDATE {t}_recent SET reputation = 99 WHERE id = '{id}'",
        "{m} id .* has other columns in current than in its object",
        deep=True,
    ),
    "a current row is gone": Trick(
        "DELETE FROM {t}_recent WHERE id = '{id}'", "{m} id .* is in history and has no current row"
    ),
    "a package is gone": Trick(lambda victim: victim.rewrite(victim.manifest.uri, None), "{m} its package .* is gone"),
    "a package has changed": Trick(_other_package, "{m} its package .* has changed since it landed"),
    "a rejects object is gone": Trick(_rejects_gone, "{m} its rejects object .* is gone"),
    "a rejects object has changed": Trick(_changed_rejects, "{m} its rejects object .* has changed since it landed"),
    "a manifest is gone": Trick(
        lambda victim: victim.rewrite_manifest(None), "{m} has landed by the ledger, and its manifest is gone"
    ),
    "a manifest has changed": Trick(_other_manifest, "{m} has 7 lines by its manifest, and 4 by the ledger"),
    "a manifest cannot be read": Trick(lambda victim: victim.rewrite_manifest(b"{"), "{m} gs://.*json cannot be read"),
    "the source has changed": Trick(_source_changed, "{m} source changed: the manifest has content"),
    "the ledger has lost a minute": Trick(
        "DELETE FROM {d}.minutes WHERE minute = {m}", "{m} is unknown to the ledger and has 3 history rows"
    ),
    "the ledger has lost a merge": Trick(
        "DELETE FROM {d}.minutes WHERE minute = {m} AND event = 'merged'", "{m} is loaded and has 3 history rows"
    ),
    "the ledger has another count of lines": Trick(
        "UPDATE {d}.minutes SET lines = 9 WHERE minute = {m} AND lines IS NOT NULL",
        "{m} has 4 lines by its manifest, and 9 by the ledger",
    ),
    "the ledger has another count of rows": Trick(
        "UPDATE {d}.minutes SET `rows` = 9 WHERE minute = {m} AND event = 'merged'",
        "{m} has 3 history rows, and 9 by the ledger",
    ),
    "the ledger has another content": Trick(
        "UPDATE {d}.minutes SET crc32c = '00000000' WHERE minute = {m}",
        "{m} source changed: the manifest has content .*, and 00000000 was taken in",
    ),
    "the ledger calls a minute absent": Trick(
        "UPDATE {d}.minutes SET event = 'absent' WHERE minute = {m}", "{m} is absent and has 3 history rows"
    ),
    "the ledger calls a minute dead": Trick(
        "UPDATE {d}.minutes SET event = 'dead' WHERE minute = {m}", "{m} is dead and has 3 history rows"
    ),
    "the watermark is in the future": Trick(_watermark, "the watermark of domains is .*, ahead of the clock"),
    "the record of a replay is spoilt": Trick(
        _replay_record, "gs://.*/state/replays/domains/spoilt.json cannot be read"
    ),
}
