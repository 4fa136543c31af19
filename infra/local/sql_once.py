"""What the BigQuery emulator does with SQL over and over, done once: it reads each text some twenty times."""

from collections import defaultdict
from functools import lru_cache
from typing import Any

from sqlglot.dialects.dialect import Dialect
from sqlglot.expressions import Expr
from sqlglot.expressions.core import POSITION_META_KEYS
from sqlglot.generator import Generator

_TEXTS = 256
_Items = tuple[tuple[str, Any], ...]


def parse_each_text_once(kind: type[Dialect] = Dialect) -> None:
    """Have a dialect keep the trees of the last texts, and hand out copies: a copy costs a fifth of reading.

    A text that cannot be read is read again each time, and raises each time. The trees do not know where in the text
    they were read, which nothing asks for and which made each copy three times as dear.
    """
    read = kind.parse

    @lru_cache(_TEXTS)
    def trees(own: type[Dialect], settings: _Items, options: _Items, sql: str) -> list[Expr | None]:
        found = read(own(**dict(settings)), sql, **dict(options))
        for tree in found:
            for node in tree.walk() if tree else ():
                _forget_place(node)
        return found

    def parse(dialect: Dialect, sql: str, **options: Any) -> list[Expr | None]:
        known = trees(type(dialect), tuple(dialect.settings.items()), tuple(options.items()), sql)
        return [tree.copy() if tree else None for tree in known]

    kind.parse = parse  # type: ignore[assignment, method-assign]


def _forget_place(node: Expr) -> None:
    if known := node._meta:  # noqa: SLF001 (`meta` makes a dictionary where there was none)
        node._meta = {name: value for name, value in known.items() if name not in POSITION_META_KEYS} or None  # noqa: SLF001 (as above)


def use_generators_again(kind: type[Dialect] = Dialect) -> None:
    """Have a dialect keep its generators of SQL: a compiled one parses seventeen templates, for 7 ms, when it is made.

    One that raised is not used again.
    """
    free: dict[tuple[Any, ...], list[Generator]] = defaultdict(list)

    def generate(dialect: Dialect, expression: Expr, copy: bool = True, **options: Any) -> str:
        alike = free[type(dialect), *dialect.settings.items(), *options.items()]
        try:
            generator = alike.pop()
        except IndexError:
            # None yet, or other threads have them all.
            generator = dialect.generator(**options)
        sql = generator.generate(expression, copy=copy)
        alike.append(generator)
        return sql

    kind.generate = generate  # type: ignore[assignment, method-assign]
