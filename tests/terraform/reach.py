"""Which calls to Google an entry point's code can reach.

From the entry function on, every function, class and variable that is named is followed; an attribute may be a method
of any class that has been named on the way, if the arguments fit (rapid type analysis). That finds too much rather than
too little. What access.yaml names under `calls` is a leaf; any other network call in a module that speaks to Google is
a find of its own.
"""

import ast
from collections.abc import Iterator, Set
from dataclasses import dataclass, field

from shared import messages
from tests.terraform.clients import google_methods
from tests.terraform.code import Class, Method, Module, expressions, read_module

_TOPICS = {name: str(getattr(messages, name)) for name in ("FEED_MINUTES", "MINUTES_LANDED", "IOC_PAGES")}
# By house rule every network call has a timeout of its own.
_OF_NETWORK_CALLS = {"timeout", "retry"}


@dataclass
class Reach:
    """What has been found, while it grows to everything."""

    leaves: Set[str]
    calls: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    _units: dict[str, tuple[Module, ast.AST]] = field(default_factory=dict)
    _classes: dict[str, Class] = field(default_factory=dict)
    # Attribute names: how each is called, and by which class as a private one of its own.
    _mentions: dict[str, list[tuple[ast.Call | None, str]]] = field(default_factory=dict)

    def follow(self, module_name: str, names: Set[str]) -> "Reach":
        """Follow from functions of a module until nothing new is found."""
        module = read_module(module_name)
        assert module, module_name
        for name in sorted(names):
            assert name in module.functions, f"{module_name} has no function {name}"
            self._name(module, name)
        while self._methods():
            pass
        return self

    def topics(self) -> set[str]:
        """Return the topics that reached code publishes to."""
        return {topic for module, node in self._units.values() for topic in self._published(module, node)}

    def sql(self) -> set[str]:
        """Return the names of the SQL files that reached code names."""
        return {
            one.value.rpartition("/")[2]
            for _, unit in self._units.values()
            for one in expressions(unit)
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.endswith(".sql")
        }

    def _name(self, module: Module, name: str) -> None:
        if name in module.functions:
            self._unit(module, f"{module.name}.{name}", module.functions[name])
        elif name in module.classes:
            self._class(module, module.classes[name])
        elif name in module.variables:
            self._unit(module, f"{module.name}.{name}", module.variables[name])
        elif name in module.imports:
            source, original = module.imports[name]
            if other := read_module(source):
                self._name(other, original)

    def _class(self, module: Module, found: Class) -> None:
        key = f"{found.module}.{found.name}"
        if key in self._classes:
            return
        self._classes[key] = found
        for base in found.bases:
            self._name(module, base)
        for method in found.methods.values():
            # Python itself calls these.
            if method.name.startswith("__"):
                self._unit(module, f"{key}.{method.name}", method.node)

    def _unit(self, module: Module, key: str, node: ast.AST) -> None:
        if key in self.leaves:
            self.calls.add(key)
            return
        if key in self._units:
            return
        self._units[key] = (module, node)
        written = list(expressions(node))
        calls = [one for one in written if isinstance(one, ast.Call)]
        if module.speaks_to_google and any(map(_is_network_call, calls)):
            self.unknown.add(key)
        called = {id(one.func): one for one in calls}
        for one in written:
            if isinstance(one, ast.Attribute):
                self._attribute(module, key.rpartition(".")[0], one, called.get(id(one)))
            for name in _named(one):
                self._name(module, name)

    def _attribute(self, module: Module, within: str, one: ast.Attribute, call: ast.Call | None) -> None:
        private = one.attr.startswith("_") and ast.unparse(one.value) == "self"
        self._mentions.setdefault(one.attr, []).append((call, within if private else ""))
        # A function of an imported module.
        if isinstance(one.value, ast.Name) and one.value.id in module.imports:
            source, name = module.imports[one.value.id]
            if other := read_module(f"{source}.{name}".rstrip(".")):
                self._name(other, one.attr)

    def _methods(self) -> bool:
        before = len(self._units), len(self.calls), len(self._classes)
        for key, found in list(self._classes.items()):
            module = read_module(found.module)
            assert module
            for method in found.methods.values():
                mentions = list(self._mentions.get(method.name, ()))
                if any(self._may_be(found, key, owner) and _runs(method, call) for call, owner in mentions):
                    self._unit(module, f"{key}.{method.name}", method.node)
        return before != (len(self._units), len(self.calls), len(self._classes))

    def _may_be(self, found: Class, key: str, owner: str) -> bool:
        if owner in {"", key}:
            return True
        calling = self._classes.get(owner)
        return calling is not None and (found.name in calling.bases or calling.name in found.bases)

    def _published(self, module: Module, unit: ast.AST) -> Iterator[str]:
        for one in expressions(unit):
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr == "publish":
                yield from self._topics_of(module, one.args[0])

    def _topics_of(self, module: Module, written: ast.expr) -> Iterator[str]:
        if isinstance(written, ast.Name) and written.id in _TOPICS:
            yield _TOPICS[written.id]
        elif isinstance(written, ast.Call) and ast.unparse(written.func) == "dead_letter_topic":
            given = ast.unparse(written.args[0])
            # A variable: what the callers pass, and only where something can be poison at all.
            names = [given] if given in _TOPICS else self._passed_topics() if self._calls("Poison") else []
            yield from (messages.dead_letter_topic(_TOPICS[name]) for name in names)
        else:
            yield from (_TOPICS[name] for name in module.imports if name in _TOPICS)

    def _passed_topics(self) -> list[str]:
        passed = (keyword for _, unit in self._units.values() for keyword in _keywords(unit))
        return [ast.unparse(one.value) for one in passed if one.arg == "topic" and ast.unparse(one.value) in _TOPICS]

    def _calls(self, name: str) -> bool:
        nodes = (one for _, unit in self._units.values() for one in expressions(unit))
        return any(isinstance(one, ast.Call) and ast.unparse(one.func) == name for one in nodes)


def _named(one: ast.AST) -> Iterator[str]:
    if isinstance(one, ast.Name):
        yield one.id
    elif isinstance(one, ast.ImportFrom):
        yield from (name.asname or name.name for name in one.names)


def _runs(method: Method, call: ast.Call | None) -> bool:
    if call is None or method.is_property:
        return True
    return method.takes(call)


def _keywords(unit: ast.AST) -> Iterator[ast.keyword]:
    for one in expressions(unit):
        if isinstance(one, ast.Call):
            yield from one.keywords


def _is_network_call(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    return call.func.attr in google_methods() or any(one.arg in _OF_NETWORK_CALLS for one in call.keywords)
