"""A virtual environment of a checkout: its kind, and whether it is complete and up to date."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The caller's variables that change what is installed or where. The index, certificates and proxies are kept.
_DROPPED = {
    *("PIP_CONSTRAINT", "PIP_NO_BINARY", "PIP_NO_INDEX", "PIP_PREFIX", "PIP_REQUIREMENT", "PIP_REQUIRE_HASHES"),
    *("PIP_TARGET", "PYTHONHOME", "PYTHONPATH", "UV_CONSTRAINT", "UV_NO_BINARY", "UV_OVERRIDE", "UV_SYSTEM_PYTHON"),
}
_DESCRIBE = "import sys; print('%d.%d' % sys.version_info[:2], sys.base_prefix)"


class Work(IntEnum):
    """The work to do; each level includes those before it."""

    NOTHING = 0
    MESH = 1
    PACKAGES = 2
    ALL = 3


@dataclass(frozen=True)
class Kind:
    """The purpose of an environment, and its size: megabytes on disk, and megabytes to download."""

    lock: str
    purpose: str
    disk: int
    fetched: int
    with_mesh: bool = True


KINDS = {
    "local": Kind("requirements-local.lock", "the mesh on this machine", 800, 200),
    "dev": Kind("requirements-dev.lock", "the mesh and its tests", 1450, 370),
    "cloud": Kind("requirements-cloud.lock", "scanning Dockerfile and Terraform", 400, 70, with_mesh=False),
}
# Which kinds have all the packages of another.
_SERVED_BY = {"local": ("local", "dev"), "dev": ("dev",), "cloud": ("cloud",)}


@dataclass(frozen=True)
class Environment:
    """A virtual environment of a checkout."""

    folder: Path
    kind: str
    root: Path = ROOT

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.root / KINDS[self.kind].lock

    @property
    def stamp(self) -> Path:
        """The file that a successful set-up writes."""
        return self.folder / ".set-up.json"

    def mark_whole(self) -> None:
        """Write the stamp."""
        self.stamp.write_text(json.dumps(self._whole(self.kind, self._describe_python())), encoding="utf-8")

    def look(self, asked: str | None) -> tuple[Work, str]:
        """Return the work to do and the environment's kind then; `asked` is the required interpreter."""
        found = self._found()
        python = self._describe_python() if found else ""
        if not python or asked not in (None, python):
            return Work.ALL, self.kind
        kind = found["kind"]
        whole = self._whole(kind, python)
        if any(found.get(name) != whole[name] for name in ("lock", "place", "python")):
            return Work.ALL, self.kind
        if kind not in _SERVED_BY[self.kind]:
            return Work.PACKAGES, self.kind
        has_mesh = (self.folder / "bin" / "gti-mesh").exists() or not KINDS[self.kind].with_mesh
        return (Work.NOTHING if has_mesh and found == whole else Work.MESH), kind

    def _found(self) -> dict[str, str]:
        try:
            stamp: dict[str, str] = json.loads(self.stamp.read_bytes())
        except (OSError, ValueError):
            return {}
        return stamp if stamp.get("kind") in KINDS else {}

    def _whole(self, kind: str, python: str) -> dict[str, str]:
        files = {"lock": self.root / KINDS[kind].lock, "project": self.root / "pyproject.toml"}
        hashes = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
        return {"kind": kind, "place": str(self.folder), "python": python, **hashes}

    def _describe_python(self) -> str:
        try:
            return describe_python(self.python)
        except (OSError, subprocess.SubprocessError):
            return ""


def describe_python(python: Path | str) -> str:
    """Return an interpreter's version and location; raise OSError or SubprocessError if it does not run."""
    done = subprocess.run([python, "-I", "-c", _DESCRIBE], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    return done.stdout.strip()


def quiet(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an installer, without variables that change what it installs."""
    kept = {name: value for name, value in environment.items() if name not in _DROPPED}
    return {**kept, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1"}
