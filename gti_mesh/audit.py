"""`gti-mesh audit`: whether bucket, ledger, staging, history and current agree."""

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from gti_mesh.parameters import State, Yes, minute
from gti_mesh.printing import say
from shared.contracts.minutes import format_minute, utc_now

if TYPE_CHECKING:
    from shared.operations.mesh import Mesh

# Half a US dollar on demand; less is not worth a question.
_MUCH = 80e9


def audit(
    since: Annotated[
        datetime | None,
        typer.Option(parser=minute, metavar="MINUTE", help="Only minutes since this one, 2026-11-21T14:10Z."),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare whole objects too: lines with packages, columns with history.")
    ] = False,
    yes: Yes = False,
    state: State = None,
) -> None:
    """Compare bucket, ledger, staging, history and current of every feed, the log of every stream, and dead letters.

    Each mismatch is printed with the step that repairs it; exit 1 if there are any. In the cloud the bytes that
    BigQuery will read are shown first.
    """
    from infra.find_mesh import find_mesh
    from shared.operations.accounts import EVER
    from shared.operations.audit import audit as audit_feeds
    from shared.operations.audit_landings import audit_landings
    from shared.operations.audit_letters import audit_letters
    from shared.operations.audit_streams import audit_streams
    from shared.operations.findings import Audited

    mesh, now = find_mesh(state), utc_now()
    refuse_future(since, now)
    if not mesh.settings.bigquery_emulator:
        ask_first(mesh, since, deep=deep, now=now, yes=yes)
    balanced = True
    audits: Iterable[Audited] = chain(
        audit_feeds(mesh, since, deep=deep, now=now),
        audit_streams(mesh.bucket, since or EVER, deep=deep, now=now),
        audit_landings(mesh.bucket, since or EVER, now),
        map(audit_letters, (mesh,), (now,)),
    )
    for found in audits:
        say(found.summary())
        for finding in found.findings:
            say(f"  {finding.what}", f"    {finding.remedy}")
        balanced = balanced and not found.findings
    raise typer.Exit(0 if balanced else 1)


def refuse_future(since: datetime | None, now: datetime) -> None:
    """Raise BadParameter for a time that has no minutes: an audit of nothing would find no mismatch."""
    if since and since > now:
        raise typer.BadParameter(f"--since {format_minute(since)} is in the future, and nothing would be compared")


def ask_first(mesh: "Mesh", since: datetime | None, *, deep: bool, now: datetime, yes: bool) -> None:
    """Say how much BigQuery will read, and ask before much."""
    from shared.operations.audit_bytes import bytes_to_read

    size = bytes_to_read(mesh, since, deep=deep, now=now)
    say(f"BigQuery will read {size / 1e9:.1f} GB")
    if size > _MUCH and not yes:
        typer.confirm("Go on?", abort=True)
