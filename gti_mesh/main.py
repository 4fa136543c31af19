"""The `gti-mesh` command: its subcommands and its error messages."""

import importlib.util
import logging
import os
import sys
from collections.abc import Callable

import typer

from gti_mesh.audit import audit
from gti_mesh.dead import dead_app
from gti_mesh.doctor import doctor
from gti_mesh.fold import fold
from gti_mesh.gaps import gaps
from gti_mesh.migrate import migrate_app
from gti_mesh.parameters import TakesTimes
from gti_mesh.printing import say
from gti_mesh.provision import provision
from gti_mesh.query import query
from gti_mesh.rejects import rejects
from gti_mesh.replay import replay
from gti_mesh.schedules import merge, plan, sweep
from gti_mesh.secops import secops_app
from gti_mesh.status import status
from gti_mesh.version import gti_mesh
from infra.image_packages import hide_emulators_packages
from shared.contracts.outcomes import MeshError

app = typer.Typer(
    name="gti-mesh",
    help="Every VirusTotal feed minute in BigQuery, every notification in SecOps: nothing lost, nothing twice.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _add_local_commands() -> None:
    """Add the commands that run a mesh on this machine; the container image has no local stack."""
    if importlib.util.find_spec("infra.local") is None:
        return
    from gti_mesh.demo import demo
    from gti_mesh.logs import logs
    from gti_mesh.up import up

    for command in (demo, up, logs):
        app.command()(command)


app.callback(help=app.info.help)(gti_mesh)
_add_local_commands()
for command in (query, status, gaps, audit, plan, sweep, merge, provision, fold, doctor):
    app.command()(command)
for takes_times in (replay, rejects):
    app.command(cls=TakesTimes)(takes_times)
app.add_typer(dead_app, name="dead")
app.add_typer(secops_app, name="secops")
app.add_typer(migrate_app, name="migrate")


def main(command: Callable[[], object] = app) -> None:
    """Run the command; expected errors are one line on standard error; users never see a stack trace."""
    hide_emulators_packages()
    # A retry that helps is of no interest here, and the error of the last one is shown.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    try:
        command()
    except MeshError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted")
    except Exception as error:
        # The boundary between code and user.
        if os.environ.get("GTI_MESH_DEBUG"):
            raise
        _fail(_unforeseen(error))


def _unforeseen(error: Exception) -> str:
    # An OSError with a file name is about a path chosen by the caller; network errors have no file name.
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot use {error.filename}: {error.strerror}"
    return f"unexpected {type(error).__name__}: {error} (GTI_MESH_DEBUG=1 shows the stack)"


def _fail(text: str) -> None:
    # Some errors have several lines.
    say(*f"gti-mesh: {text}".split("\n"), err=True)
    sys.exit(1)
