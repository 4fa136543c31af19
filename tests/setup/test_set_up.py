"""Setting up a checkout: problems are reported in one line, and an incomplete environment is not used."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.environment import Environment, Work, describe_python
from scripts.installing import RefusedError, Screen, explain
from scripts.set_up import Machine, ensure
from tests.support.aged_index import AgedIndex
from tests.support.paths import REPOSITORY
from tests.support.waiting import PATIENCE, wait_until

LOCK = "requirements-cloud.lock"
READY = "set-up: .venv-cloud is ready after "


@dataclass(frozen=True)
class Checkout:
    """A checkout whose lock file for scanning names one small package; the mesh is not part of that environment."""

    root: Path
    given: Mapping[str, str]

    @property
    def environment(self) -> Environment:
        """Return the environment of the checkout."""
        return Environment(self.root / ".venv-cloud", "cloud", self.root)

    def start(self, **given: str) -> "subprocess.Popen[str]":
        """Start the set-up as make does, in its own process group."""
        environment = {**self.given, "PYTHON": sys.executable, **given}
        command = [str(self.root / "scripts/setup"), ".venv-cloud", "cloud"]
        return subprocess.Popen(  # noqa: S603
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def set_up(self, **given: str) -> tuple[int, list[str]]:
        """Set up, and return the exit code and the output."""
        process = self.start(**given)
        written, output = process.communicate(timeout=PATIENCE)
        assert not written
        return process.returncode, output.splitlines()


@pytest.fixture(scope="module")
def index() -> Iterator[AgedIndex]:
    """An index with one package."""
    index = AgedIndex()
    with index.serve():
        yield index


@pytest.fixture
def checkout(tmp_path: Path, index: AgedIndex) -> Checkout:
    """Copy the parts of this repository that a set-up needs."""
    root = tmp_path / "checkout"
    shutil.copytree(REPOSITORY / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    (tmp_path / "pinned.lock").write_text("small-thing==1.0 \\\n    --hash=sha256:0\n", encoding="utf-8")
    index.age(tmp_path / "pinned.lock", root / LOCK)
    return Checkout(root, {**index.environment(), "PIP_RETRIES": "1", "HOME": str(tmp_path)})


def script(folder: Path, name: str, text: str) -> None:
    """Put a command into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def other_python(folder: Path, name: str, version: tuple[int, int]) -> None:
    """Put a Python into a folder that takes itself for another version."""
    becomes = f"import sys; sys.version_info = {(*version, 2)}; exec(sys.argv[1])"
    described = f"CPython {version[0]}.{version[1]}.2"
    script(folder, name, f"""case "$1" in -E) exec {sys.executable} -c "{becomes}" "$3";; *) echo {described};; esac""")


def test_a_python_that_is_not_there_is_named(checkout: Checkout) -> None:
    """A Python that does not exist is named in one line, with the required versions and an example."""
    code, output = checkout.set_up(PYTHON="python9")
    assert code == 1
    needed = "gti-mesh needs CPython 3.11 to 3.14, for example: make demo PYTHON=python3.12"
    assert output == [f"set-up: there is no command python9; {needed}"]


@pytest.mark.parametrize("version", [(2, 7), (3, 10), (3, 15), (4, 0)])
def test_a_python_that_is_too_old_or_too_new_is_named(
    checkout: Checkout, tmp_path: Path, version: tuple[int, int]
) -> None:
    """It is named with its path and version; for a newer one there are no wheels of the pinned versions."""
    other_python(tmp_path / "bin", "python3", version)
    code, [output] = checkout.set_up(PYTHON=str(tmp_path / "bin/python3"))
    assert code == 1
    assert f"{tmp_path}/bin/python3) is CPython {version[0]}.{version[1]}.2; gti-mesh needs" in output


def test_what_is_no_python_is_named(checkout: Checkout) -> None:
    """A command that runs but is not Python is refused by name."""
    code, [output] = checkout.set_up(PYTHON="true")
    assert code == 1
    assert "does not run as a Python" in output


@pytest.mark.parametrize("version", [(3, 9), (3, 15)])
def test_another_python_is_taken_when_python3_does_not_fit(
    checkout: Checkout, tmp_path: Path, version: tuple[int, int]
) -> None:
    """If python3 is too old or too new and no other is named, a supported versioned one is used."""
    other_python(tmp_path / "bin", "python3", version)
    fits = f"python3.{sys.version_info[1]}"
    script(tmp_path / "bin", fits, f'exec {sys.executable} "$@"')
    code, output = checkout.set_up(PYTHON="", PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    assert code == 0, output
    assert output[-1].startswith(READY)


def test_a_python_without_venv_is_refused_with_the_package_to_install(checkout: Checkout) -> None:
    """A Python without venv, as Debian's without python3-venv, is refused with the package to install."""
    machine = Machine(has=lambda name: name != "ensurepip")
    with pytest.raises(
        RefusedError, match=r"has no ensurepip; on Debian and Ubuntu install the package python3\.\d+-venv"
    ):
        ensure(checkout.environment, Screen(io.StringIO()), machine=machine)


def test_too_little_room_is_said_before_anything_is_fetched(checkout: Checkout) -> None:
    """Too little free space is reported with the required and available amounts and the place."""
    with pytest.raises(RefusedError, match=f"needs 400 MB, and 10 MB are free in {checkout.root}"):
        ensure(checkout.environment, Screen(io.StringIO()), machine=Machine(free=lambda _: 10))
    assert not checkout.environment.folder.exists()


def test_a_checkout_that_cannot_be_written_to_is_named(checkout: Checkout) -> None:
    """A checkout on a read-only disk, or owned by another user, is named."""
    with pytest.raises(RefusedError, match=f"{checkout.root} cannot be written to; clone it into a folder of your own"):
        ensure(checkout.environment, Screen(io.StringIO()), machine=Machine(may_write=lambda _: False))
    assert not checkout.environment.folder.exists()


@pytest.mark.parametrize("with_uv", [False, True])
def test_without_a_network_what_could_not_be_fetched_is_named(
    checkout: Checkout, tmp_path: Path, with_uv: bool
) -> None:
    """Without a network one line names what could not be downloaded, with either installer."""
    script(tmp_path / "bin", "uv", f'exec {Path(sys.executable).with_name("uv")} "$@"') if with_uv else None
    nowhere = "http://127.0.0.1:9/simple/"
    code, output = checkout.set_up(
        PIP_INDEX_URL=nowhere, UV_DEFAULT_INDEX=nowhere, PATH=f"{tmp_path}/bin:/usr/bin:/bin", UV_HTTP_RETRIES="0"
    )
    assert code == 1
    assert len(output) == 2
    assert output[1].startswith("set-up: small-thing")
    assert "could not be fetched from the package index; is there a network" in output[1]


def test_a_file_with_another_hash_is_refused(checkout: Checkout) -> None:
    """A file whose hash differs from the lock file is refused."""
    lock = checkout.root / LOCK
    lock.write_text("small-thing==1.0 --hash=sha256:" + 64 * "0" + "\n", encoding="utf-8")
    code, output = checkout.set_up()
    assert code == 1
    assert "the index has another file for small-thing==1.0 than the lock file" in output[-1]


def test_what_the_index_does_not_have_is_named(checkout: Checkout) -> None:
    """A missing wheel may mean an unsupported Python, so the line names Python and machine."""
    (checkout.root / LOCK).write_text("small-thing==7.0 --hash=sha256:" + 64 * "0" + "\n", encoding="utf-8")
    code, output = checkout.set_up()
    assert code == 1
    assert "the package index has no wheel of small-thing==7.0 for Python 3." in output[-1]


def test_a_full_disk_is_named() -> None:
    """A full disk is named, also when it is the one of temporary files."""
    lines = ["Collecting small==1.0\n", "ERROR: Could not install: [Errno 28] No space left on device\n"]
    assert "the disk is full: no space is left in /somewhere or in /" in explain(lines, Path("/somewhere"))


def test_what_is_whole_is_left_alone_and_said_nothing_about(checkout: Checkout) -> None:
    """The first set-up prints what it does and the size; the second does and prints nothing."""
    code, output = checkout.set_up()
    assert code == 0, output
    assert "making .venv-cloud for scanning Dockerfile and Terraform: 1 packages for Python 3." in output[0]
    assert output[-1].startswith(READY)
    before = checkout.environment.stamp.stat().st_mtime_ns
    assert checkout.set_up() == (0, [])
    assert checkout.environment.stamp.stat().st_mtime_ns == before


def test_what_no_longer_works_is_made_again(checkout: Checkout) -> None:
    """An environment whose interpreter is gone, as after a system upgrade, is made again."""
    checkout.set_up()
    checkout.environment.python.unlink()
    checkout.environment.python.symlink_to("/gone/python3")
    code, output = checkout.set_up()
    assert code == 0, output
    assert ".venv-cloud is incomplete" in output[0]
    assert checkout.set_up() == (0, [])


def test_what_was_interrupted_is_made_again(checkout: Checkout, index: AgedIndex) -> None:
    """After Ctrl-C in the middle there is one line, and the next make starts over."""
    process = checkout.start(PIP_INDEX_URL=index.url.replace("/simple/", "/slow/"))
    wait_until(checkout.environment.python.exists, "the environment to be begun")
    os.killpg(process.pid, signal.SIGINT)
    _, output = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert output.splitlines()[1:] == ["set-up: interrupted; the next make starts over"]
    code, lines = checkout.set_up()
    assert code == 0, lines
    assert ".venv-cloud is incomplete" in lines[0]


def test_two_set_ups_at_once_take_turns(checkout: Checkout) -> None:
    """With `make up` and `make test` at once, the second waits for the first and then has nothing to do."""
    both = [checkout.start(), checkout.start()]
    output = [process.communicate(timeout=PATIENCE)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], output
    assert sum("making .venv-cloud" in text for text in output) == 1
    assert sum("another make is setting up this checkout" in text for text in output) == 1


def test_a_folder_of_another_kind_is_never_removed(checkout: Checkout) -> None:
    """If the name is in use for something else, the user is asked to move it."""
    folder = checkout.environment.folder
    folder.mkdir()
    (folder / "novel.txt").write_text("chapter one", encoding="utf-8")
    code, output = checkout.set_up()
    assert (code, output) == (1, [f"set-up: {folder} is not a Python environment; move it away"])
    assert (folder / "novel.txt").exists()


@dataclass(frozen=True)
class Left:
    """Make the environment of an earlier set-up for tests, with this interpreter."""

    environment: Environment

    def look(self, kind: str, asked: str | None = None) -> Work:
        """Check whether the environment serves another make target."""
        return Environment(self.environment.folder, kind, self.environment.root).look(asked)[0]


@pytest.fixture
def left(tmp_path: Path) -> Left:
    """Mark an environment for the mesh alone as complete."""
    for name in ("requirements-local.lock", "requirements-dev.lock", "pyproject.toml"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    environment = Environment(tmp_path / ".venv", "local", tmp_path)
    script(environment.folder, "unused", "")
    script(environment.folder / "bin", "gti-mesh", "")
    script(environment.folder / "bin", "python", f'exec {sys.executable} "$@"')
    environment.mark_whole()
    return Left(environment)


def test_the_tests_only_need_more_packages_and_the_mesh_needs_none_of_theirs(left: Left) -> None:
    """`make test` after `make demo` adds packages without starting over, and `make demo` after it changes nothing."""
    assert left.look("local") is Work.NOTHING
    assert left.look("dev") is Work.PACKAGES
    Environment(left.environment.folder, "dev", left.environment.root).mark_whole()
    assert (left.look("local"), left.look("dev")) == (Work.NOTHING, Work.NOTHING)


def test_new_pins_make_it_anew_and_a_new_project_only_itself(left: Left) -> None:
    """New pins make the environment again, so that no old package remains; a new project file only reinstalls it."""
    (left.environment.root / "pyproject.toml").write_text("other", encoding="utf-8")
    assert left.look("local") is Work.MESH
    (left.environment.root / "requirements-local.lock").write_text("other", encoding="utf-8")
    assert left.look("local") is Work.ALL


def test_another_python_or_place_makes_it_anew(left: Left) -> None:
    """Another Python or a moved checkout makes the environment again; naming the Python that it has does not."""
    assert left.look("local", describe_python(sys.executable)) is Work.NOTHING
    assert left.look("local", "3.99 /opt/python") is Work.ALL
    stamp = json.loads(left.environment.stamp.read_text(encoding="utf-8"))
    left.environment.stamp.write_text(json.dumps({**stamp, "place": "/elsewhere/.venv"}), encoding="utf-8")
    assert left.look("local") is Work.ALL


@pytest.mark.parametrize("stamp", ["", "{", "{}", '{"kind": "moon"}'])
def test_a_stamp_that_says_nothing_is_not_trusted(left: Left, stamp: str) -> None:
    """An empty or truncated stamp, as of an earlier release, is not trusted."""
    left.environment.stamp.write_text(stamp, encoding="utf-8")
    assert left.look("local") is Work.ALL
