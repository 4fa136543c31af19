"""A forwarder without Pub/Sub for the commands: its folder or bucket, and its dead letters."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gti_mesh.printing import say

if TYPE_CHECKING:
    from services.secops_forwarder.standalone.mailbox import StandaloneMailbox
    from shared.contracts.interfaces import Bucket
    from shared.operations.mesh import Mesh
    from shared.operations.open_dead_letters import DeadLetterRecord

Folder = Annotated[
    Path | None,
    typer.Option("--folder", exists=True, file_okay=False, help="Pages of `secops run --folder` instead of a mesh."),
]

_SOURCE = "gti-mesh secops"


def find_standalone(state: Path | None, folder: Path | None) -> "Bucket | None":
    """Return the folder or bucket that a forwarder without Pub/Sub uses, or None for a mesh."""
    from infra.endpoints import DEFAULT_STATE, read_endpoints
    from infra.find_mesh import find_mesh
    from services.secops_forwarder.folder_bucket import FolderBucket
    from services.secops_forwarder.standalone.bucket import without_bucket

    if folder:
        without_bucket()
        return FolderBucket(folder)
    if read_endpoints(state or DEFAULT_STATE):
        # A mesh on this machine has its own Pub/Sub.
        return None
    return standalone_of(find_mesh(state))


def standalone_of(mesh: "Mesh") -> "Bucket | None":
    """Return the bucket of a mesh if it is marked as one without Pub/Sub, and say so; else None."""
    from services.secops_forwarder.standalone.bucket import MARK, is_standalone

    if not is_standalone(mesh.bucket):
        return None
    say(f"without Pub/Sub, by {mesh.bucket.uri(MARK)}; delete that object if a mesh uses the bucket now", err=True)
    return mesh.bucket


def standalone_mailbox(bucket: "Bucket") -> "StandaloneMailbox":
    """Return the open dead letters of a folder or bucket."""
    from services.secops_forwarder.standalone.mailbox import StandaloneMailbox

    configure_output()
    return StandaloneMailbox(bucket, say)


def standalone_records(bucket: "Bucket") -> "Sequence[DeadLetterRecord]":
    """Return the open dead letters as the ledger of a mesh has them, newest first."""
    from shared.contracts.messages import IocPageLanded
    from shared.operations.open_dead_letters import DeadLetterRecord

    return [
        DeadLetterRecord(
            message_id=letter.id,
            feed=None,
            minute=None,
            reason=letter.reason,
            attempts=None,
            source=_SOURCE,
            at=letter.published,
            state=None,
            uri=IocPageLanded.model_validate_json(letter.message).uri,
            error_type=letter.error_type,
        )
        for letter in standalone_mailbox(bucket).letters
    ]


def configure_output() -> None:
    """Report warnings, retries among them, as lines on standard error."""
    from shared.runtime.logs import configure_logging

    configure_logging(project="", log_format="text", level=logging.WARNING)
