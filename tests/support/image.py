"""The steps of the Dockerfile run in folders, to test the image without a container engine."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.paths import REPOSITORY
from tests.support.waiting import PATIENCE

DOCKERFILE = REPOSITORY / "Dockerfile"
_INSTALL_SECONDS = 500


@dataclass(frozen=True)
class Step:
    """One instruction of a Dockerfile."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """Split a command into words."""
        return self.text.split()


def read_stages() -> list[list[Step]]:
    """Return the steps of each stage of the Dockerfile."""
    text = re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"))
    lines = [line.strip() for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip()]
    stages: list[list[Step]] = []
    for name, _, rest in (line.partition(" ") for line in lines):
        if name == "FROM":
            stages.append([])
        stages[-1].append(Step(name, rest.strip()))
    return stages


@dataclass(frozen=True)
class Image:
    """The folders of a built image: /build and /mesh below one root. One Python builds it, in one environment."""

    root: Path
    python: Path = Path(sys.executable).parent
    surroundings: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def build(self) -> None:
        """Run every step of the first stage, without this checkout in the environment."""
        (self.root / "build").mkdir()
        for step in read_stages()[0]:
            if step.name == "COPY":
                self._copy(*step.words)
            elif step.name == "RUN":
                self.run_step(step.text)

    def _copy(self, *words: str) -> None:
        *sources, target = words
        for source in sources:
            place = self.root / "build" / target / (Path(source).name if target.endswith("/") else "")
            if (REPOSITORY / source).is_dir():
                shutil.copytree(REPOSITORY / source, place, ignore=_docker_ignores)
            else:
                shutil.copyfile(REPOSITORY / source, place)

    def run_step(self, command: str) -> None:
        """Run a RUN step, or fail with its output."""
        # Compiling every module is a third of the time and only speeds up a first start; pip reads this "no" as yes.
        environment = {**self.surroundings, "PATH": f"{self.python}:{os.environ['PATH']}"}
        environment |= {"PIP_NO_COMPILE": "no", "PYTHONPATH": ""}
        done = subprocess.run(  # noqa: S603 the Dockerfile's own words
            ["bash", "-euc", command.replace("/mesh", f"{self.root}/mesh")],  # noqa: S607
            cwd=self.root / "build",
            env=environment,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    @property
    def folder(self) -> Path:
        """The working directory of a container: the last stage's WORKDIR."""
        return self.root / _last("WORKDIR").text.lstrip("/")

    @property
    def command(self) -> list[str]:
        """The command of a container."""
        found: list[str] = json.loads(_last("CMD").text)
        return found

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return a container's whole environment: the last stage's ENV, and the service's settings."""
        declared = dict(word.split("=", 1) for word in _last("ENV").words)
        path = declared["PATH"].replace("/mesh", f"{self.root}/mesh").replace("$PATH", "/usr/bin:/bin")
        return {**declared, "PATH": path, "HOME": str(self.root), **given}

    def run(self, *words: str, given: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run a command in a container until it ends."""
        return subprocess.run(  # noqa: S603
            [str(self.root / "mesh/venv/bin" / words[0]), *words[1:]],
            cwd=self.folder,
            env=self.environment(given),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def packages(self) -> set[str]:
        """Return the names of the installed packages."""
        [packages] = (self.root / "mesh/venv/lib").glob("python3.*/site-packages")
        return {_plain(found.name.split("-")[0]) for found in packages.glob("*.dist-info")}


def _docker_ignores(folder: str, names: list[str]) -> list[str]:
    """Leave out what .dockerignore names: paths from the root of the checkout, and names anywhere after `**/`."""
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    here = Path(folder).relative_to(REPOSITORY)
    return [name for name in names if str(here / name) in lines or f"**/{name}" in lines]


def pinned(lock: str) -> set[str]:
    """Return the names in a lock file."""
    text = (REPOSITORY / lock).read_text(encoding="utf-8")
    return {_plain(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


def _last(name: str) -> Step:
    return next(step for step in reversed(read_stages()[-1]) if step.name == name)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def copied() -> Iterator[str]:
    """Return the files of the checkout that the Dockerfile copies."""
    for step in read_stages()[0]:
        if step.name == "COPY":
            yield from step.words[:-1]
