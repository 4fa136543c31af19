"""`gti-mesh dead`: list, show, redrive and discard dead letters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding

from gti_mesh.dead_choice import chosen_letters, letters_of, read_choice, require_known, resolved_since, still_open
from gti_mesh.parameters import AsJson, State, Yes, print_json
from gti_mesh.printing import say
from gti_mesh.standalone import Folder, find_standalone, standalone_mailbox, standalone_records
from shared.contracts.minutes import format_minute, utc_now
from shared.runtime.terminal import line, terminal

if TYPE_CHECKING:
    from services.secops_forwarder.standalone.mailbox import StandaloneMailbox
    from shared.operations.dead_letter_mailbox import Mailbox
    from shared.operations.dead_letters import Choice, DeadLetter
    from shared.operations.open_dead_letters import DeadLetterRecord

Ids = Annotated[list[str] | None, typer.Argument(help="Ids of dead letters.")]
Reason = Annotated[str | None, typer.Option("--reason", help="All whose reason contains this text.")]
Kind = Annotated[str | None, typer.Option("--type", metavar="ERROR_TYPE", help="All of this type of error.")]
Everything = Annotated[bool, typer.Option("--all", help="All of them.")]
Resolved = Annotated[bool, typer.Option("--resolved", help="Those in Pub/Sub whose minute has come since.")]

dead_app = typer.Typer(help="Dead letters: list, show, redrive, discard.", no_args_is_help=True)


@dead_app.command("list")
def list_dead(state: State = None, folder: Folder = None, as_json: AsJson = False) -> None:
    """List the dead letters in the ledger that still need an operator, newest first."""
    from infra.find_mesh import find_mesh
    from shared.operations.open_dead_letters import unhandled_dead_letters

    bucket = find_standalone(state, folder)
    letters = standalone_records(bucket) if bucket else unhandled_dead_letters(find_mesh(state), utc_now())
    dead_letters = [letter for letter in letters if letter.open]
    if as_json:
        print_json([letter.report() for letter in dead_letters])
        return
    print_dead_letters(dead_letters, terminal())
    if resolved := len(letters) - len(dead_letters):
        say(f"{_letters(resolved)} of minutes that have come since; `gti-mesh dead discard --resolved` takes them out")


def print_dead_letters(dead_letters: "Sequence[DeadLetterRecord]", console: Console) -> None:
    """Print dead letters: each is identified on one line that is never cut, with the reason below."""
    if not dead_letters:
        console.print("no dead letters")
    for letter in dead_letters:
        minute = format_minute(letter.minute) if letter.minute else None
        named = (letter.message_id, letter.feed or letter.stream, minute, letter.error_type)
        console.print(line("  ".join(filter(None, named)), "bold"), soft_wrap=True)
        times = f", {letter.attempts} deliveries" if letter.attempts else ""
        source = f" by {letter.source}" if letter.source else ""
        console.print(Padding(line(f"{letter.at:%m-%d %H:%MZ}{times}{source}: {letter.reason}"), (0, 0, 0, 4)))


@dead_app.command("show")
def show_dead(
    id: Annotated[str, typer.Argument(help="Id of a dead letter.")],  # noqa: A002
    state: State = None,
    folder: Folder = None,
) -> None:
    """Show one dead letter in full: its reason, its attributes, and the message."""
    from infra.find_mesh import find_mesh
    from shared.operations.dead_letter_mailbox import mailbox
    from shared.operations.dead_letters import Choice

    choice = Choice(ids=(id,))
    if bucket := find_standalone(state, folder):
        found = _known(standalone_mailbox(bucket), choice)
    else:
        mesh = find_mesh(state)
        with mailbox(mesh) as held:
            found = chosen_letters(mesh, held, choice)
    for letter in found:
        print_json({**letter.report(), "redriven": letter.redriven, "attributes": dict(letter.attributes)})


@dead_app.command("redrive")
def redrive_dead(
    ids: Ids = None,
    kind: Kind = None,
    reason: Reason = None,
    everything: Everything = False,
    state: State = None,
    folder: Folder = None,
) -> None:
    """Redrive dead letters to their original topic; one that fails again returns with its redrive count raised.

    Without Pub/Sub they are delivered at once.
    """
    from infra.find_mesh import find_mesh
    from shared.operations.dead_letter_mailbox import mailbox

    choice = read_choice(ids, kind, reason, everything)
    if bucket := find_standalone(state, folder):
        _redrive_here(standalone_mailbox(bucket), choice)
        return
    mesh = find_mesh(state)
    with mailbox(mesh) as held:
        count = held.redrive(chosen_letters(mesh, held, choice))
    say(f"republished {_letters(count)}")
    _say_what_is_left(held)


@dead_app.command("discard")
def discard_dead(
    ids: Ids = None,
    kind: Kind = None,
    reason: Reason = None,
    everything: Everything = False,
    resolved: Resolved = False,
    yes: Yes = False,
    state: State = None,
    folder: Folder = None,
) -> None:
    """Remove dead letters for good; a copy of each stays in the bucket under dead/."""
    from infra.find_mesh import find_mesh
    from shared.operations.dead_letter_mailbox import mailbox
    from shared.operations.handle_dead_letters import close_letters

    choice = read_choice(ids, kind, reason, everything, resolved=resolved)
    if bucket := find_standalone(state, folder):
        _discard_here(standalone_mailbox(bucket), choice, yes=yes)
        return
    mesh = find_mesh(state)
    with mailbox(mesh) as held:
        chosen, lost = resolved_since(mesh, held) if resolved else still_open(mesh, held, choice)
        require_known(choice, {letter.id for letter in chosen} | {letter.id for letter in lost})
        if not yes and (chosen or lost):
            typer.confirm(_question(len(chosen), len(lost)), abort=True)
        count, closed = held.discard(chosen), close_letters(mesh.bucket, lost, utc_now())
    say(f"discarded {_letters(count)}; copies are in the bucket under dead/")
    if closed:
        say(f"closed {_letters(closed)} that Pub/Sub no longer holds")
    _say_what_is_left(held)


def _redrive_here(held: "StandaloneMailbox", choice: "Choice") -> None:
    chosen = _known(held, choice)
    count = held.redrive(chosen)
    say(f"delivered {_letters(count)}")
    if count < len(chosen):
        raise typer.Exit(1)


def _discard_here(held: "StandaloneMailbox", choice: "Choice", *, yes: bool) -> None:
    chosen = _known(held, choice)
    if not yes and chosen:
        typer.confirm(_question(len(chosen), 0), abort=True)
    say(f"discarded {_letters(held.discard(chosen))}; copies stay under dead-letters/")


def _known(held: "StandaloneMailbox", choice: "Choice") -> "list[DeadLetter]":
    found = letters_of(held, choice)
    require_known(choice, {letter.id for letter in found})
    return found


def _question(held: int, lost: int) -> str:
    gone = f", and close {lost} that Pub/Sub no longer holds" if lost else ""
    return f"Discard {_letters(held)}{gone}? A copy of each stays in the bucket."


def _letters(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count} dead letters"


def _say_what_is_left(held: "Mailbox") -> None:
    if not held.complete:
        say("not all dead letters were read in time: run the command again for the others")
