"""After a balanced soak: the warehouse is changed behind the mesh's back, and the operator's own commands mend it."""

import shlex
from collections.abc import Callable
from random import Random

from shared.contracts.minutes import format_minute
from shared.gcp.bigquery import run_query
from tests.soak.soak_mesh import SoakMesh
from tests.soak.verdict import audit_by_command, run_command
from tests.support.saboteur import TRICKS
from tests.support.waiting import wait_until

_MENDED_SECONDS = 300.0
# Of a row of history or the ledger; whether a newest version is in recent depends on the folds.
_STATEMENTS = sorted(name for name, one in TRICKS.items() if isinstance(one.does, str) and "_recent" not in one.does)


def sabotage(soak_mesh: SoakMesh, seed: int, count: int, say: Callable[[str], None]) -> list[str]:
    """Do some tricks, each with one merged minute; return what the audit did not name, or what was not mended."""
    chance = Random(seed)  # noqa: S311 a repeatable choice
    feed = soak_mesh.size.feeds[0]
    wrong = []
    for name in chance.sample(_STATEMENTS, count):
        named = _trick(soak_mesh, feed, name, chance)
        say(f"          {name}: {named or 'not named'}")
        if not named:
            wrong.append(f"{name}, and the audit does not name it")
    wait_until(lambda: _mend(soak_mesh), "every remedy of the audit to have mended its minute", seconds=_MENDED_SECONDS)
    return wrong


def _trick(soak_mesh: SoakMesh, feed: str, name: str, chance: Random) -> str:
    """Tamper with one line of a minute, and return what the audit says of the minute or the line's id."""
    mesh, dataset = soak_mesh.mesh_view, soak_mesh.mesh_view.settings.dataset
    # Ids that only one minute has, so that its row is the one that current shows.
    sql = (
        "SELECT id, MIN(feed_minute) AS minute, MIN(feed_line) AS line"  # noqa: S608
        f" FROM {dataset}.{feed}_history GROUP BY id HAVING COUNT(*) = 1 ORDER BY id"
    )
    row = chance.choice(run_query(mesh.warehouse, sql))
    minute = f"TIMESTAMP '{row['minute']:%Y-%m-%d %H:%M}:00 UTC'"
    values = {"d": dataset, "t": f"{dataset}.{feed}", "m": minute, "line": row["line"], "id": row["id"]}
    statement = TRICKS[name].does
    assert isinstance(statement, str)
    run_query(mesh.warehouse, statement.format(**values))
    about = (format_minute(row["minute"]), row["id"], "stranger", "nothing")
    return next((one.what for one in audit_by_command(soak_mesh) if any(word in one.what for word in about)), "")


def _mend(soak_mesh: SoakMesh) -> bool:
    """Run every command that the audit prints, and merge; return whether nothing was left to mend."""
    remedies = dict.fromkeys(found.remedy for found in audit_by_command(soak_mesh))
    commands = [shlex.split(remedy)[1:] for remedy in remedies if remedy.startswith("gti-mesh replay")]
    for command in commands:
        run_command(soak_mesh, *command, "--yes")
    soak_mesh.call("merger")
    return not commands
