"""Cache the BigQuery emulator's SQL parsing: it parses each text about twenty times."""

from collections import defaultdict
from functools import lru_cache
from typing import Any

from bqemulator.sql.rewriter.row_access_filter import _Rewriter
from sqlglot.dialects.dialect import Dialect
from sqlglot.expressions import Expr
from sqlglot.expressions.core import POSITION_META_KEYS
from sqlglot.generator import Generator

_TEXTS = 256
_Items = tuple[tuple[str, Any], ...]


def parse_each_text_once(kind: type[Dialect] = Dialect) -> None:
    """Make a dialect cache the trees of the last texts and return copies: a copy costs a fifth of parsing.

    A text that cannot be parsed raises each time. The positions in the text are dropped from the trees: nothing uses
    them, and they made each copy three times as expensive.
    """
    read = kind.parse

    @lru_cache(_TEXTS)
    def trees(dialect: type[Dialect], settings: _Items, options: _Items, sql: str) -> list[Expr | None]:
        found = read(dialect(**dict(settings)), sql, **dict(options))
        for tree in found:
            for node in tree.walk() if tree else ():
                _forget_place(node)
        return found

    def parse(dialect: Dialect, sql: str, **options: Any) -> list[Expr | None]:
        known = trees(type(dialect), tuple(dialect.settings.items()), tuple(options.items()), sql)
        return [tree.copy() if tree else None for tree in known]

    kind.parse = parse  # type: ignore[assignment, method-assign]


def _forget_place(node: Expr) -> None:
    if known := node._meta:  # noqa: SLF001 (`meta` would create a dictionary)
        node._meta = {name: value for name, value in known.items() if name not in POSITION_META_KEYS} or None  # noqa: SLF001 (as above)


def use_generators_again(kind: type[Dialect] = Dialect) -> None:
    """Make a dialect reuse its SQL generators: a compiled one parses seventeen templates when created, for 7 ms.

    A generator that raised is not reused.
    """
    free: dict[tuple[Any, ...], list[Generator]] = defaultdict(list)

    def generate(dialect: Dialect, expression: Expr, copy: bool = True, **options: Any) -> str:
        alike = free[type(dialect), *dialect.settings.items(), *options.items()]
        try:
            generator = alike.pop()
        except IndexError:
            # There is none yet, or other threads use them all.
            generator = dialect.generator(**options)
        sql = generator.generate(expression, copy=copy)
        alike.append(generator)
        return sql

    kind.generate = generate  # type: ignore[assignment, method-assign]


def leave_views_to_the_database(kind: type[_Rewriter] = _Rewriter) -> None:
    """Make queries read DuckDB's views instead of inlining their texts.

    The emulator inlines them for row access policies, which are not used here, and then parses and translates them for
    each query: a view of two tables took 0.1 s to translate and a tenth of that to read.
    """

    def keep(*_: object, **__: object) -> bool:
        return False

    kind._expand_view = keep  # type: ignore[method-assign]  # noqa: SLF001 (the emulator has no option)
