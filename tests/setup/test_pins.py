"""Installs depend on the lock files alone, whatever the package index has released since."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.environment import KINDS, Environment, quiet
from scripts.installing import check_command, packages_command
from tests.support.aged_index import AgedIndex, pins
from tests.support.image import Image, read_stages
from tests.support.optional_tools import INDEX
from tests.support.paths import REPOSITORY
from tests.support.waiting import PATIENCE

# The pip that the first release of each Python brought, and one that is new; files as the package index has them.
PIPS = {
    "22.3": "1daab4b8d3b97d1d763caeb01a4640a2250a0ea899e257b1e44b9eded91e15ab",
    "23.2.1": "7ccf472345f20d35bdc9d1841ff5f313260c2c33fe417f48c30ac46cccabf5be",
    "24.2": "2cd581cf58ab7fcfca4ce8efa6dcacd0de5bf8d0a3eb9ec927e07405f4d9e2a2",
    "25.2": "6d67a2b4e7f14d8b31b8b52648866fa717f45a1eb70e83002f4331d07e953717",
    "26.3": "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13",
}
OLDEST = {11: "22.3", 12: "23.2.1", 13: "24.2", 14: "25.2"}[sys.version_info[1]]
NEW = "26.3"
LOCKS = ("requirements.lock", "requirements-build.lock", *(kind.lock for kind in KINDS.values()))


@dataclass(frozen=True)
class Aged:
    """A checkout's lock files with the hashes of an index that has newer releases, and that index."""

    root: Path
    index: AgedIndex


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aged]:
    """Publish every pinned release and a newer one of each."""
    root, index = tmp_path_factory.mktemp("aged"), AgedIndex()
    for lock in LOCKS:
        index.age(REPOSITORY / lock, root / lock)
    with index.serve():
        yield Aged(root, index)


@pytest.fixture(scope="module")
def pips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fetch several versions of pip from the package index."""
    folder = tmp_path_factory.mktemp("pips")
    for version in {OLDEST, NEW}:
        wanted = folder / "wanted.txt"
        wanted.write_text(f"pip=={version} --hash=sha256:{PIPS[version]}\n", encoding="utf-8")
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--retries", "1"]
        done = run([*fetch, "-d", str(folder), "-r", str(wanted)], quiet({}))
        if done.returncode:
            pytest.skip(INDEX.reason)
    return folder


def run(command: Sequence[str], given: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run an installer."""
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603


def make_environment(folder: Path, kind: str, root: Path, pip: Path) -> Environment:
    """Make an environment with that pip, without using an index."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=PATIENCE)  # noqa: S603
    with zipfile.ZipFile(pip) as wheel:
        wheel.extractall(packages_of(folder))
    return Environment(folder, kind, root)


def packages_of(folder: Path) -> Path:
    """Return the folder of an environment's packages."""
    [found] = folder.glob("lib/python3.*/site-packages")
    return found


def installed(folder: Path) -> set[tuple[str, str]]:
    """Return name and version of everything installed."""
    found = (path.name.removesuffix(".dist-info") for path in packages_of(folder).glob("*.dist-info"))
    parts = (name.rpartition("-") for name in found)
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, _, version in parts} - {
        ("pip", OLDEST),
        ("pip", NEW),
    }


def pinned(lock: str) -> set[tuple[str, str]]:
    """Return the pins of a lock file for this Python and machine."""
    return {(pin.name, pin.version) for pin in pins(REPOSITORY / lock) if pin.is_for()}


@pytest.mark.parametrize("installer", [OLDEST, NEW, "uv"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_environment_is_what_its_lock_file_says(
    kind: str, installer: str, aged: Aged, pips: Path, tmp_path: Path
) -> None:
    """The oldest pip, a new one and uv install every pin, nothing else, and no package lacks a dependency."""
    pip = pips / f"pip-{NEW if installer == 'uv' else installer}-py3-none-any.whl"
    environment = make_environment(tmp_path / "venv", kind, aged.root, pip)
    given = quiet(aged.index.environment())
    uv = str(Path(sys.executable).with_name("uv")) if installer == "uv" else None
    done = run(packages_command(environment, uv), given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert installed(environment.folder) == pinned(KINDS[kind].lock)
    checked = run(check_command(environment), given)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Python 3.13 and newer never came with a pip that does so")
def test_an_index_that_ages_breaks_an_install_that_resolves(aged: Aged, pips: Path, tmp_path: Path) -> None:
    """Without --no-deps an old pip refuses the pins for a requirement with an extra, so the index is realistic."""
    environment = make_environment(tmp_path / "venv", "local", aged.root, pips / f"pip-{OLDEST}-py3-none-any.whl")
    command = [word for word in packages_command(environment, None) if word != "--no-deps"]
    done = run(command, quiet(aged.index.environment()))
    assert "all requirements must have their versions pinned" in done.stderr
    assert re.search(r"^    \w+\[\w+\].* from http://127.0.0.1:.*\.post1-py3", done.stderr, re.MULTILINE)


def test_the_image_is_what_its_lock_files_say(aged: Aged, pips: Path, tmp_path: Path) -> None:
    """The Dockerfile's own install steps work with the aged index and the oldest pip."""
    tools = make_environment(tmp_path / "python", "local", aged.root, pips / f"pip-{OLDEST}-py3-none-any.whl")
    image = Image(tmp_path / "image", tools.python.parent, aged.index.environment())
    (image.root / "build").mkdir(parents=True)
    for lock in ("requirements.lock", "requirements-build.lock"):
        (image.root / "build" / lock).write_bytes((aged.root / lock).read_bytes())
    steps = [step for step in read_stages()[0] if step.name == "RUN" and "--require-hashes" in step.text]
    assert len(steps) == 2
    for step in steps:
        image.run_step(step.text)
    assert installed(image.root / "mesh/venv") == pinned("requirements.lock")
    assert installed(image.root / "build/tools") == pinned("requirements-build.lock")
