"""The project's code as an index: functions, classes, module variables and imports, by qualified name."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.terraform.configuration import TERRAFORM

ROOT = TERRAFORM.parents[1]
PACKAGES = ("gti_mesh", "services", "shared", "infra")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Method:
    """A method of a class, or a property that is read without a call."""

    name: str
    node: Function

    @property
    def is_property(self) -> bool:
        """Whether reading an attribute executes it."""
        return any("property" in ast.unparse(one) for one in self.node.decorator_list)

    def takes(self, call: ast.Call) -> bool:
        """Return whether a call's arguments match, which distinguishes str.replace from a bucket's."""
        given = self.node.args
        names = [one.arg for one in (*given.posonlyargs, *given.args)][1:]
        required = len(names) - len(given.defaults)
        keywords = {one.arg for one in call.keywords}
        known = {*names, *(one.arg for one in given.kwonlyargs)}
        if given.vararg or given.kwarg or None in keywords or any(isinstance(one, ast.Starred) for one in call.args):
            return True
        return len(call.args) <= len(names) and keywords <= known and len(call.args) + len(keywords) >= required


@dataclass
class Class:
    """A class: its methods, and the names of its bases as the module has them."""

    module: str
    name: str
    bases: list[str] = field(default_factory=list)
    methods: dict[str, Method] = field(default_factory=dict)


@dataclass
class Module:
    """What a module defines and what it imports."""

    name: str
    tree: ast.Module
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)
    variables: dict[str, ast.expr] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def speaks_to_google(self) -> bool:
        """Whether it imports one of Google's libraries, or a module that has their clients."""
        return any(f"{source}.".startswith(("google.", "shared.gcp.")) for source, _ in self.imports.values())


@cache
def read_module(name: str) -> Module | None:
    """Return a module of the project, or None for other modules."""
    if name.split(".", maxsplit=1)[0] not in PACKAGES:
        return None
    path = ROOT.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return _index(name, file)
    return None


def _index(name: str, file: Path) -> Module:
    module = Module(name, ast.parse(file.read_text(encoding="utf-8")))
    for node in module.tree.body:
        if isinstance(node, Function):
            module.functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            module.classes[node.name] = _class(name, node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                module.variables[ast.unparse(target)] = node.value
    for anywhere in ast.walk(module.tree):
        module.imports.update(_imported(anywhere))
    return module


def _class(module: str, node: ast.ClassDef) -> Class:
    methods = {one.name: Method(one.name, one) for one in node.body if isinstance(one, Function)}
    return Class(module, node.name, [ast.unparse(base) for base in node.bases], methods)


def _imported(node: ast.AST) -> Iterator[tuple[str, tuple[str, str]]]:
    if isinstance(node, ast.ImportFrom) and node.module:
        for one in node.names:
            yield one.asname or one.name, (node.module, one.name)
    elif isinstance(node, ast.Import):
        for one in node.names:
            yield one.asname or one.name.split(".")[0], (one.name, "")


def expressions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every node that is executed: all but annotations."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from expressions(child)
