"""Fault rules, and the set of active rules."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]


class Rule(BaseModel):
    """One fault: after `after` requests it fires `times` times (None: until it is deleted)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: ClassVar[frozenset[str]] = frozenset()
    selectors: ClassVar[tuple[str, ...]] = ()
    """Fields that limit the rule to some requests; None there means all of them."""
    counted_by: ClassVar[tuple[str, ...]] = ()
    """Fields by which `after` and `times` count requests separately; `total` counts all of them."""

    kind: str
    after: Count = 0
    times: AtLeastOne | None = None
    total: AtLeastOne | None = None

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in cls.kinds:
            raise ValueError(f"unknown fault {kind!r}; known faults: {', '.join(sorted(cls.kinds))}")
        return kind

    def meets(self, request: Mapping[str, object]) -> bool:
        """Return whether the rule matches a request; a request can have several values of a field, as a frozenset."""
        return all(_has(request.get(name), getattr(self, name)) for name in self.selectors)


def _has(found: object, wanted: object) -> bool:
    return wanted is None or wanted == found or (isinstance(found, frozenset) and wanted in found)


R = TypeVar("R", bound=Rule)


@dataclass
class _Counted(Generic[R]):
    rule: R
    seen: Counter[tuple[object, ...]] = field(default_factory=Counter)
    fired: Counter[tuple[object, ...]] = field(default_factory=Counter)


class FaultBook(Generic[R]):
    """The active rules, and how often each has fired; thread-safe.

    `chooses` can exclude requests that a rule would match, for a rate.
    """

    def __init__(self, chooses: Callable[[R, Mapping[str, object]], bool] = lambda _rule, _request: True) -> None:
        self._chooses = chooses
        self._lock = Lock()
        self._counted: list[_Counted[R]] = []

    @property
    def rules(self) -> list[R]:
        """The active rules, in order."""
        return [one.rule for one in self._counted]

    def fired(self) -> list[tuple[R, int]]:
        """Return the active rules and how often each has fired."""
        with self._lock:
            return [(one.rule, one.fired.total()) for one in self._counted]

    def replace(self, rules: Iterable[R]) -> None:
        """Replace all rules by these, with counts of zero."""
        with self._lock:
            self._counted = [_Counted(rule) for rule in rules]

    def add(self, rules: Iterable[R]) -> None:
        """Append these rules."""
        with self._lock:
            self._counted = [*self._counted, *(_Counted(rule) for rule in rules)]

    def remove(self, fields: Mapping[str, str]) -> None:
        """End the rules whose fields, written as text, have these values."""
        with self._lock:
            self._counted = [one for one in self._counted if not _has_fields(one.rule, fields)]

    def first(self, kinds: Iterable[str], /, **request: object) -> R | None:
        """Fire the first rule of these kinds that is due for a request; later rules are not counted."""
        if not self._counted:
            return None
        with self._lock:
            return next((_fire(one, request) for one in self._due(kinds, request, counts=True)), None)

    def all(self, kinds: tuple[str, ...], /, **request: object) -> list[R]:
        """Fire every rule of these kinds that is due for a request; return them in the order of kinds."""
        with self._lock:
            return _ordered([_fire(one, request) for one in self._due(kinds, request, counts=True)], kinds)

    def peek(self, kinds: tuple[str, ...], /, **request: object) -> list[R]:
        """Return the result of all() without firing."""
        with self._lock:
            return _ordered([one.rule for one in self._due(kinds, request, counts=False)], kinds)

    def _due(self, kinds: Iterable[str], request: Mapping[str, object], *, counts: bool) -> list[_Counted[R]]:
        met = [one for one in self._counted if self._meets(one.rule, kinds, request)]
        due = [one for one in met if _is_due(one, request)]
        if counts:
            for one in met:
                one.seen[_key(one.rule, request)] += 1
        return due

    def _meets(self, rule: R, kinds: Iterable[str], request: Mapping[str, object]) -> bool:
        return rule.kind in kinds and rule.meets(request) and self._chooses(rule, request)


def _key(rule: Rule, request: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(request[name] for name in rule.counted_by)


def _is_due(one: _Counted[R], request: Mapping[str, object]) -> bool:
    rule, key = one.rule, _key(one.rule, request)
    return (
        one.seen[key] >= rule.after
        and (rule.times is None or one.fired[key] < rule.times)
        and (rule.total is None or one.fired.total() < rule.total)
    )


def _fire(one: _Counted[R], request: Mapping[str, object]) -> R:
    one.fired[_key(one.rule, request)] += 1
    return one.rule


def _ordered(rules: list[R], kinds: tuple[str, ...]) -> list[R]:
    return sorted(rules, key=lambda rule: kinds.index(rule.kind))


def _has_fields(rule: Rule, fields: Mapping[str, str]) -> bool:
    return all(str(getattr(rule, name, None)) == value for name, value in fields.items())
