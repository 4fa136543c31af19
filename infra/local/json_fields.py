"""JSON field access, `attributes.last_dns_records[0].value`, in the BigQuery emulator's SQL.

DuckDB, like BigQuery, accesses a field by the type of the value before the dot. But the emulator's translation loses
the case of names, counts JSON elements from 1, and turns the result of JSON_QUERY into text. So each field is rewritten
as `attributes['last_dns_records']`, and everything that depends on a type as a macro of `bigquery_macros.sql`.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import sqlglot
from bqemulator.sql.rules.json_helpers import JSONExtractToStringRule
from bqemulator.sql.translator import SQLTranslator
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.expressions import Expr

_ELEMENT = "gti_mesh_element"
_NAMED = (exp.Column, exp.Dot)
_SOURCES = ("this", "using", "from_")


def read_json_fields() -> None:
    """Make the emulator's translator handle JSON fields."""
    translate = SQLTranslator.translate

    def translate_with_fields(self: SQLTranslator, bq_sql: str, **options: Any) -> Any:
        return translate(self, with_json_fields(bq_sql), **options)

    SQLTranslator.translate = translate_with_fields  # type: ignore[method-assign]
    JSONExtractToStringRule.rewrite = _json_query  # type: ignore[assignment, method-assign]


def _json_query(_: JSONExtractToStringRule, node: Expr) -> Expr:
    return exp.Anonymous(this="gti_mesh_json_query", expressions=[node.this.copy(), node.expression.copy()])


def with_json_fields(sql: str) -> str:
    """Return a statement with every field name in brackets; a statement that cannot be parsed is returned unchanged."""
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except (SqlglotError, TypeError):
        # A TypeError is a keyword after a dot (`x.null`): BigQuery accepts it, this parser only in backticks.
        return sql
    names = list(_output_names(tree))
    # Children first.
    changed = [_replaced(node) for node in reversed(list(tree.walk()))]
    changed += [_named(select, place, name) for select, place, name in names]
    return tree.sql(dialect="bigquery") if any(changed) else sql


def _output_names(tree: Expr) -> Iterator[tuple[exp.Select, int, str]]:
    """Yield the names of columns without an alias: the last part of a path, or in the result f0_, f1_ and so on."""
    unnamed = count()
    for select in tree.find_all(exp.Select):
        for place, one in enumerate(select.expressions):
            if isinstance(one, _NAMED):
                yield select, place, one.name
            elif select is tree and not isinstance(one, exp.Alias) and not one.is_star:
                yield select, place, f"f{next(unnamed)}_"


def _named(select: exp.Select, place: int, name: str) -> bool:
    """Give a selected column its name; return whether it changed."""
    one = select.expressions[place]
    if isinstance(one, _NAMED):
        return False
    one.replace(exp.alias_(one.copy(), name, quoted=True))
    return True


def _replaced(node: Expr) -> bool:
    """Replace a node if necessary; return whether it was replaced."""
    new = _replacement(node)
    if new is not None:
        node.replace(new)
    return new is not None


def _replacement(node: Expr) -> Expr | None:
    if isinstance(node, exp.Column):
        return None if _is_assigned(node) else _path(node)
    if isinstance(node, exp.Bracket):
        return _element(node)
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        # An identifier before the dot is a dataset, and the expression its function.
        return None if isinstance(node.this, exp.Identifier | exp.Parameter) else _fields(node.this, [node.expression])
    if isinstance(node, exp.String) and not node.args.get("zone"):
        return exp.Anonymous(this="gti_mesh_string", expressions=[node.this])
    return None


def _is_assigned(column: exp.Column) -> bool:
    """Return whether a column is the target of a SET."""
    equation = column.parent
    return isinstance(equation, exp.EQ) and equation.this is column and isinstance(equation.parent, exp.Update)


def _path(column: exp.Column) -> Expr | None:
    """Return a column with its fields, or None if it has none; a table's alias is not a column."""
    names = column.parts
    if column.is_star or len(names) == 1 or "." in names[0].name:
        return None
    start = 2 if names[0].name.lower() in _range_variables(column) else 1
    table = names[0].copy() if start > 1 else None
    root = exp.Column(this=names[start - 1].copy(), table=table)
    return _fields(root, names[start:]) if len(names) > start else None


def _range_variables(node: Expr) -> set[str]:
    """Return the lower-case names or aliases of the tables in a node's scope."""
    found: set[str] = set()
    above = node.parent
    while above:
        joined = [join.this for join in above.args.get("joins") or ()]
        sources = [*(above.args.get(name) for name in _SOURCES), *joined]
        tables = [source.this if isinstance(source, exp.From) else source for source in sources]
        found.update(_name_of(table) for table in tables)
        above = above.parent
    return found


def _name_of(table: object) -> str:
    if isinstance(table, exp.Table | exp.Subquery):
        return table.alias_or_name.lower()
    # For an array of struct literals: DuckDB makes a table of it.
    if isinstance(table, exp.Unnest) and table.args.get("explode_array"):
        return (table.alias or next(iter(table.alias_column_names), "")).lower()
    return ""


def _fields(root: Expr, names: Iterable[Expr]) -> Expr:
    for name in names:
        root = exp.Bracket(this=root, expressions=[exp.Literal.string(name.name)])
    return root


def _element(bracket: exp.Bracket) -> Expr | None:
    """Return an element access counted from 0, or None for a field and for OFFSET on arrays."""
    place, offset = bracket.expressions[0], bracket.args.get("offset")
    is_path = isinstance(bracket.this, exp.Column | exp.Bracket) or bracket.this.name == _ELEMENT
    if place.is_string or not (is_path or offset is None):
        return None
    return exp.Anonymous(this=_ELEMENT, expressions=[bracket.this, place - 1 if offset else place])
