"""Each lock file is complete: nothing has to be resolved, for any supported Python and machine."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.aged_index import pins
from tests.support.paths import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
# What each lock file is compiled from, as `make lock` has it. The packages of requirements-cloud.lock are not here.
ROOTS = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-build.lock": PROJECT["dependency-groups"]["build"],
    "requirements-local.lock": [*PROJECT["project"]["dependencies"], *EXTRAS["local"]],
    "requirements-dev.lock": [*PROJECT["project"]["dependencies"], *EXTRAS["local"], *EXTRAS["dev"]],
}
PYTHONS = ("3.11.0", "3.11.14", "3.12.1", "3.13.0", "3.14.0")
SYSTEMS = {"linux": ("Linux", "x86_64"), "darwin": ("Darwin", "arm64")}


def machine(python: str, system: str) -> dict[str, str]:
    """Return the variables of a marker."""
    name, processor = SYSTEMS[system]
    version = {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "implementation_version": python,
    }
    kind = {"implementation_name": "cpython", "platform_python_implementation": "CPython", "os_name": "posix"}
    return {**version, **kind, "sys_platform": system, "platform_system": name, "platform_machine": processor}


def needed(roots: list[str], on: dict[str, str]) -> Iterator[Requirement]:
    """Yield every requirement that is reachable from the roots, including extras."""
    waiting, seen = _on(roots, on), set[tuple[str, str]]()
    while waiting:
        requirement = waiting.pop()
        yield requirement
        for extra in {"", *requirement.extras} - {extra for name, extra in seen if name == requirement.name}:
            seen.add((requirement.name, extra))
            waiting += _requirements(requirement.name, {**on, "extra": extra})


def _requirements(name: str, on: dict[str, str]) -> list[Requirement]:
    try:
        return _on(requires(name) or (), on)
    except PackageNotFoundError:
        return []


def _on(texts: Iterable[str], machine: dict[str, str]) -> list[Requirement]:
    found = map(Requirement, texts)
    return [one for one in found if one.marker is None or one.marker.evaluate(machine)]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", ROOTS)
def test_a_lock_file_names_all_that_is_needed_once(lock: str, python: str, system: str) -> None:
    """Every requirement of a package or extra is pinned at a compatible version, and nothing is pinned twice."""
    on = machine(python, system)
    here = [pin for pin in pins(REPOSITORY / lock) if pin.is_for(**on)]
    versions = {pin.name: pin.version for pin in here}
    assert len(versions) == len(here)
    wanted = list(needed(ROOTS[lock], on))
    missing = [str(one) for one in wanted if canonicalize_name(one.name) not in versions]
    refused = [
        str(one)
        for one in wanted
        if not one.specifier.contains(versions[canonicalize_name(one.name)], prereleases=True)
    ]
    assert (missing, refused) == ([], [])
    assert set(versions) <= {canonicalize_name(one.name) for one in wanted}


def test_all_lock_files_agree_on_every_version() -> None:
    """The tests, the image and a local mesh use the same versions."""
    tested = {(pin.name, pin.version) for pin in pins(REPOSITORY / "requirements-dev.lock")}
    for lock in ROOTS:
        assert {(pin.name, pin.version) for pin in pins(REPOSITORY / lock)} <= tested


def test_every_pin_has_a_hash_and_no_address() -> None:
    """The lock files name no index."""
    for lock in (*ROOTS, "requirements-cloud.lock"):
        text = (REPOSITORY / lock).read_text(encoding="utf-8")
        blocks = re.split(r"\n(?=[^ #])", text.strip())
        assert len(blocks) == len(pins(REPOSITORY / lock))
        assert all("--hash=sha256:" in block for block in blocks)
        assert "://" not in text
