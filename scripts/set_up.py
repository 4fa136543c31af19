"""Create or repair a virtual environment from a lock file; errors are one line.

scripts/setup starts this with a suitable Python; it uses only the standard library. What is installed depends only on
the lock file: nothing is resolved or built, and every file has a hash in the lock file.
"""

import argparse
import fcntl
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from scripts.environment import KINDS, ROOT, Environment, Work, describe_python, quiet
from scripts.installing import RefusedError, Screen, check_command, find_uv, ignore, mesh_command, packages_command, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up the environment unless it is up to date; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("--this-python", action="store_true", help="recreate an environment that has another Python")
    given = parser.parse_args(arguments)
    screen = Screen(sys.stderr)
    try:
        asked = describe_python(sys.executable) if given.this_python else None
        ensure(Environment(ROOT / given.folder, given.kind), screen, asked)
    except (RefusedError, OSError) as reason:
        screen.say(str(reason))
        return 1
    except KeyboardInterrupt:
        screen.say("interrupted; the next make starts over")
        return 130
    return 0


@dataclass(frozen=True)
class Machine:
    """The machine: free megabytes in a folder, write access to it, and modules of this Python."""

    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free // 1_000_000
    may_write: Callable[[Path], bool] = lambda folder: os.access(folder, os.W_OK)
    has: Callable[[str], bool] = lambda name: find_spec(name) is not None


def ensure(environment: Environment, screen: Screen, asked: str | None = None, machine: Machine | None = None) -> None:
    """Make an environment match its lock file; raise RefusedError, in one line, if that is impossible.

    `asked` describes the required interpreter; None keeps the present one.
    """
    if environment.look(asked)[0] is Work.NOTHING:
        return
    machine = machine or Machine()
    if not machine.may_write(environment.root):
        raise RefusedError(f"{environment.root} cannot be written to; clone it into a folder of your own")
    with _alone(environment.root, screen):
        work, kind = environment.look(asked)
        if work is not Work.NOTHING:
            _do(work, replace(environment, kind=kind), screen, machine)


@contextmanager
def _alone(root: Path, screen: Screen) -> Iterator[None]:
    """Hold the checkout's lock, so that two makes take turns."""
    handle = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            screen.say("another make is setting up this checkout; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _do(work: Work, environment: Environment, screen: Screen, machine: Machine) -> None:
    begun, given = time.monotonic(), quiet(os.environ)
    packages = len(re.findall("^[^ #]+==", environment.lock.read_text(encoding="utf-8"), re.MULTILINE))
    if work is Work.ALL:
        _require_parts(machine)
        _remove(environment.folder, screen)
        _require_room(environment, machine)
        _announce(environment, packages, screen)
        # Not sys.executable: it may belong to this environment, if that is activated.
        base = getattr(sys, "_base_executable", sys.executable)
        run([base, "-m", "venv", str(environment.folder)], environment.folder, given, ignore)
    uv = find_uv(environment.folder)
    environment.stamp.unlink(missing_ok=True)
    if work >= Work.PACKAGES:
        run(packages_command(environment, uv), environment.folder, given, screen.follow(packages))
    if KINDS[environment.kind].with_mesh:
        run(mesh_command(environment, uv), environment.folder, given, ignore)
    run(check_command(environment), environment.folder, given, ignore)
    environment.mark_whole()
    screen.say(f"{environment.folder.name} is ready after {time.monotonic() - begun:.0f} s")


def _require_parts(machine: Machine) -> None:
    missing = [name for name in ("venv", "ensurepip") if not machine.has(name)]
    if missing:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        lacks = " and no ".join(missing)
        raise RefusedError(f"{sys.executable} has no {lacks}; on Debian and Ubuntu install the package {package}")


def _remove(folder: Path, screen: Screen) -> None:
    """Remove an unfinished or broken environment; never another kind of folder."""
    if not folder.exists() and not folder.is_symlink():
        return
    parts = {path.name for path in folder.iterdir()} if folder.is_dir() else {"a file"}
    if parts and not parts & {"pyvenv.cfg", "bin"}:
        raise RefusedError(f"{folder} is not a Python environment; move it away")
    screen.say(f"{folder.name} is incomplete, or not from this checkout, these pins and this Python: recreating it")
    try:
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
    except OSError as error:
        raise RefusedError(f"{folder} cannot be removed ({error.strerror}); remove it by hand") from None


def _require_room(environment: Environment, machine: Machine) -> None:
    needed, free = KINDS[environment.kind].disk, machine.free(environment.root)
    if free < needed:
        name = environment.folder.name
        raise RefusedError(f"{name} needs {needed} MB, and {free} MB are free in {environment.root}: free some space")


def _announce(environment: Environment, packages: int, screen: Screen) -> None:
    kind = KINDS[environment.kind]
    screen.say(
        f"making {environment.folder.name} for {kind.purpose}: {packages} packages for Python {sys.version.split()[0]},"
        f" {kind.fetched} MB to fetch; once, a minute or two"
    )


if __name__ == "__main__":
    sys.exit(main())
