"""The pinned requirements of the image suffice for the services, including imports at the first request."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import distributions, packages_distributions

from tests.support.image import pinned
from tests.support.paths import REPOSITORY

OURS = {"services", "shared", "infra"}


def imported() -> Iterator[str]:
    """Yield the full name of every module that services and shared import, anywhere in a file."""
    for folder in ("services", "shared"):
        for file in (REPOSITORY / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_bytes())):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield from (f"{node.module}.{alias.name}" for alias in node.names)


def owners() -> dict[str, set[str]]:
    """Return each module's distributions, for the package `google` by file because many distributions share it."""
    found = {name: {_plain(one) for one in several} for name, several in packages_distributions().items()}
    for distribution in distributions():
        for file in distribution.files or ():
            if file.parts[0] == "google" and file.suffix == ".py":
                name = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
                found[name] = {_plain(distribution.name)}
    return found


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def _owner(name: str, known: dict[str, set[str]]) -> set[str]:
    while name not in known and "." in name:
        name = name.rpartition(".")[0]
    return known.get(name, set())


def test_everything_that_a_service_imports_is_pinned_for_the_image() -> None:
    """A module that only tests or a local mesh install would fail a service at a later request."""
    known, image = owners(), pinned("requirements.lock")
    names = {name for name in imported() if name.partition(".")[0] not in OURS | set(sys.stdlib_module_names)}
    assert any(name.startswith("google.cloud.bigquery") for name in names)
    assert not {name for name in names if not _owner(name, known) & image}
