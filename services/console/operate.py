"""The operator's commands: status, gaps, dead letters."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.console.arguments import State
from shared.minutes import format_minute

if TYPE_CHECKING:
    from services.console.dead_letters import Choice

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of dead letters.")]
Reason = Annotated[str | None, typer.Option("--reason", help="All whose reason holds this text.")]
Everything = Annotated[bool, typer.Option("--all", help="All of them.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

dead_app = typer.Typer(help="Dead letters: list, show, redrive, discard.", no_args_is_help=True)


def status(state: State = None, as_json: AsJson = False) -> None:
    """Say whether anything is missing, how fresh the rest is, and what needs a person; exit 1 when degraded."""
    from services.console.mesh import find_mesh
    from services.console.status import read_status

    now = datetime.now(UTC)
    found = read_status(find_mesh(state), now)
    if as_json:
        typer.echo(json.dumps(found.report(), default=_written, indent=2))
    else:
        found.show(Console(highlight=False))
    raise typer.Exit(1 if found.problems() else 0)


def gaps(state: State = None, as_json: AsJson = False) -> None:
    """List the minutes that are missing, never loaded, never merged or dead, as ranges with their remedy."""
    from services.console.coverage import describe
    from services.console.feeds import read_feeds
    from services.console.mesh import find_mesh

    found = [gap for feed in read_feeds(find_mesh(state), datetime.now(UTC)) for gap in feed.gaps]
    if as_json:
        typer.echo(json.dumps([gap.report() for gap in found], default=_written, indent=2))
        return
    for gap in found:
        typer.echo(f"{describe(gap)}\n    {gap.remedy}")
    typer.echo(f"{len(found)} gaps" if found else "no gaps")


@dead_app.command("list")
def list_dead(state: State = None, as_json: AsJson = False) -> None:
    """List the dead letters that still need a person, newest first, as the ledger tells them."""
    from dataclasses import asdict

    from services.console.dead import open_deaths
    from services.console.mesh import find_mesh

    deaths = open_deaths(find_mesh(state), datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps([asdict(death) for death in deaths], default=_written, indent=2))
        return
    table = Table("id", "feed", "minute", "attempts", "from", "at", "reason")
    for death in deaths:
        minute = format_minute(death.minute) if death.minute else ""
        what = (death.message_id, death.feed or "", minute, str(death.attempts or ""), death.source or "")
        table.add_row(*what, f"{death.at:%m-%d %H:%M}", death.reason)
    Console(highlight=False).print(table if deaths else "no dead letters")


@dead_app.command("show")
def show_dead(id: Annotated[str, typer.Argument(help="Id of a dead letter.")], state: State = None) -> None:  # noqa: A002
    """Show one dead letter whole: its reason, its attributes, and the message."""
    from services.console.dead_letters import mailbox
    from services.console.mesh import find_mesh

    with mailbox(find_mesh(state)) as held:
        found = [letter for letter in held.letters if letter.id == id]
    if not found:
        raise typer.BadParameter(f"no dead letter {id!r} is kept; `gti-mesh dead list` shows those that are")
    for letter in found:
        shown = {**letter.report(), "id": letter.id, "redriven": letter.redriven, "attributes": dict(letter.attributes)}
        typer.echo(json.dumps(shown, indent=2))


@dead_app.command("redrive")
def redrive_dead(ids: Ids = None, reason: Reason = None, everything: Everything = False, state: State = None) -> None:
    """Hand dead letters back to the topic they came from; one that fails again comes back with its count raised."""
    count = sum(1 for _ in _handle(_choice(ids, reason, everything), state, "redrive"))
    typer.echo(f"handed back {count} dead letters")


@dead_app.command("discard")
def discard_dead(
    ids: Ids = None, reason: Reason = None, everything: Everything = False, yes: Yes = False, state: State = None
) -> None:
    """Take dead letters out for good; a copy of each stays in the bucket under dead/."""
    choice = _choice(ids, reason, everything)
    if not yes:
        typer.confirm("Discard them? A copy of each stays in the bucket.", abort=True)
    count = sum(1 for _ in _handle(choice, state, "discard"))
    typer.echo(f"discarded {count} dead letters; copies are in the bucket under dead/")


def _choice(ids: list[str] | None, reason: str | None, everything: bool) -> "Choice":
    from services.console.dead_letters import Choice

    choice = Choice(tuple(ids or ()), reason, everything)
    if choice == Choice():
        raise typer.BadParameter("name dead letters by id, by --reason TEXT, or say --all")
    return choice


def _handle(choice: "Choice", state: Path | None, action: str) -> Iterator[str]:
    from services.console.dead_letters import mailbox
    from services.console.mesh import find_mesh

    with mailbox(find_mesh(state)) as held:
        chosen = [letter for letter in held.letters if choice.wants(letter)]
        if unknown := sorted(set(choice.ids) - {letter.id for letter in chosen}):
            raise typer.BadParameter(f"no such dead letters are kept: {', '.join(unknown)}")
        for letter in chosen:
            (held.redrive if action == "redrive" else held.discard)(letter)
            yield letter.id


def _written(value: object) -> str:
    return format_minute(value) if isinstance(value, datetime) and not value.second else str(value)
