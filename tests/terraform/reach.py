"""The calls to Google that an entry point's code can reach.

From the entry function on, every named function, class and variable is followed; an attribute may be a method of any
class that was named before, if the arguments match (rapid type analysis). So it finds too much rather than too little.
Calls that access.yaml lists under `calls` are leaves; any other network call in a module that uses Google's libraries
is reported separately.
"""

import ast
from collections.abc import Iterator, Set
from dataclasses import dataclass, field

from shared.contracts import messages
from tests.terraform.clients import google_methods
from tests.terraform.code import Class, Method, Module, expressions, read_module

_TOPICS = {name: str(getattr(messages, name)) for name in ("FEED_MINUTES", "MINUTES_LANDED", "IOC_PAGES")}
_KINDS = (messages.MinuteRequested, messages.MinuteLanded, messages.MinuteAbsent, messages.IocPageLanded)
_MESSAGES = {kind.__name__: kind.topic for kind in _KINDS}
# By house rule every network call has a timeout of its own.
_OF_NETWORK_CALLS = {"timeout", "retry"}


@dataclass
class Reach:
    """The findings so far, growing until complete."""

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
        """Return the names of the SQL files that reached code uses."""
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
        match ast.unparse(written.func) if isinstance(written, ast.Call) else "":
            case "dead_letter":
                # Only where something can be poison at all.
                received = self._received() if self._calls("Poison") else []
                yield from map(messages.dead_letter_topic, received)
            case "given_up":
                yield from map(messages.dead_letter_topic, self._made())
            case _:
                yield from self._made()
                yield from (_TOPICS[name] for name in module.imports if name in _TOPICS)

    def _received(self) -> list[str]:
        """Return the topics whose pushes a reached entry point handles."""
        calls = (one for _, unit in self._units.values() for one in expressions(unit) if isinstance(one, ast.Call))
        handled = [ast.unparse(one.args[0]) for one in calls if ast.unparse(one.func) == "push_handler"]
        return [getattr(messages, name).name for name in handled]

    def _made(self) -> set[str]:
        """Return the topics of the message types that reached code creates or parses, except in annotations."""
        named = {
            name
            for module, unit in self._units.values()
            if module.name != messages.__name__
            for one in expressions(unit)
            for name in _named(one)
        }
        return {topic for name, topic in _MESSAGES.items() if name in named}

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


def _is_network_call(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    return call.func.attr in google_methods() or any(one.arg in _OF_NETWORK_CALLS for one in call.keywords)
