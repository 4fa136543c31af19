"""The selection of dead letters on a command line."""

from typing import TYPE_CHECKING

import typer

from shared.contracts.minutes import utc_now

if TYPE_CHECKING:
    from services.secops_forwarder.standalone.mailbox import StandaloneMailbox
    from shared.operations.dead_letter_mailbox import Mailbox
    from shared.operations.dead_letters import Choice, DeadLetter
    from shared.operations.mesh import Mesh
    from shared.operations.open_dead_letters import DeadLetterRecord


def read_choice(
    ids: list[str] | None, kind: str | None, reason: str | None, everything: bool, *, resolved: bool = False
) -> "Choice":
    """Return the selection of the options; raise BadParameter for a selection that may include more than intended."""
    from shared.contracts.outcomes import DEAD_LETTER_TYPES
    from shared.operations.dead_letters import Choice

    if kind is not None and kind not in DEAD_LETTER_TYPES:
        raise typer.BadParameter(f"unknown type {kind!r}; types are {', '.join(sorted(DEAD_LETTER_TYPES))}")
    if reason is not None and not reason.strip():
        raise typer.BadParameter("--reason needs a part of the reason, and an empty one is part of every reason")
    ways = [bool(ids), kind is not None or reason is not None, everything, resolved]
    if sum(ways) > 1:
        raise typer.BadParameter("name ids, or --type and --reason, or --all, and not several of them")
    if not any(ways):
        raise typer.BadParameter("name dead letters by id, by --type ERROR_TYPE, by --reason TEXT, or use --all")
    return Choice(tuple(ids or ()), reason, everything, kind)


def chosen_letters(mesh: "Mesh", held: "Mailbox", choice: "Choice") -> "list[DeadLetter]":
    """Return the selected letters that Pub/Sub holds; report of every other id whether the ledger has it."""
    found = letters_of(held, choice)
    if set(choice.ids) <= {letter.id for letter in found}:
        return found
    found, gone = still_open(mesh, held, choice)
    lost = {letter.id for letter in gone}
    require_known(choice, {letter.id for letter in found} | lost)
    if lost:
        raise typer.BadParameter(
            f"Pub/Sub no longer holds {', '.join(sorted(lost))}: `gti-mesh replay` requests its minute again, and "
            "`gti-mesh dead discard` closes it"
        )
    return found


def still_open(mesh: "Mesh", held: "Mailbox", choice: "Choice") -> "tuple[list[DeadLetter], list[DeadLetterRecord]]":
    """Return the chosen letters that Pub/Sub holds, and those that only the ledger still has."""
    from shared.operations.handle_dead_letters import lost_letters, open_letters
    from shared.operations.open_dead_letters import unhandled_dead_letters

    now = utc_now()
    lost = lost_letters(open_letters(unhandled_dead_letters(mesh, now), choice), held, now)
    return letters_of(held, choice), lost


def resolved_since(mesh: "Mesh", held: "Mailbox") -> "tuple[list[DeadLetter], list[DeadLetterRecord]]":
    """Return the letters with which nothing is left to do: those that Pub/Sub holds, and those that it does not."""
    from shared.operations import handle_dead_letters
    from shared.operations.open_dead_letters import unhandled_dead_letters

    now = utc_now()
    return handle_dead_letters.resolved_since(unhandled_dead_letters(mesh, now), mesh.bucket, held, now)


def letters_of(held: "Mailbox | StandaloneMailbox", choice: "Choice") -> "list[DeadLetter]":
    """Return the selected letters among those that are held."""
    return [letter for letter in held.letters if choice.wants(letter)]


def require_known(choice: "Choice", known: set[str]) -> None:
    """Raise BadParameter for ids that no dead letter has."""
    if unknown := sorted(set(choice.ids) - known):
        raise typer.BadParameter(
            f"no such dead letters: {', '.join(unknown)}; `gti-mesh dead list` shows those that exist"
        )
