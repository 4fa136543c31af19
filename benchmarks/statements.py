"""The reads and writes of each statement of a script, found in its SQL: tables and columns, for the billing rules."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.expressions import Expr

_END = re.compile(r";(?=(?:[^']*'[^']*')*[^']*$)")
_KINDS = {exp.Merge: "MERGE", exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE"}
Schemas = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Read:
    """One reference to a table, and the columns of it that the statement names."""

    table: str
    columns: frozenset[str]


@dataclass(frozen=True)
class Statement:
    """A statement: what it changes, if anything, and its reads; `where` has the columns of a DELETE's condition."""

    kind: str
    target: str | None
    reads: tuple[Read, ...]
    where: frozenset[str] = frozenset()
    updates: bool = False


def read_script(script: str, schemas: Schemas) -> list[Statement]:
    """Return the statements of a script that read or write a table; schemas are the columns of each table by name."""
    found = []
    for text in _END.split(script):
        sql = text.strip()
        if sql.startswith("SET "):
            sql = f"SELECT {sql.partition('=')[2]}"
        if re.match("SELECT|WITH|MERGE|INSERT|UPDATE|DELETE", sql):
            found.append(read_statement(sql, schemas))
    return [statement for statement in found if statement.target or statement.reads]


def read_statement(sql: str, schemas: Schemas) -> Statement:
    """Return the reads and writes of one statement."""
    tree = sqlglot.parse_one(sql, read="bigquery")
    kind = next((name for node, name in _KINDS.items() if isinstance(tree, node)), "SELECT")
    target = _target(tree) if kind != "SELECT" else None
    reads = [*_reads(tree, schemas)]
    if target and kind in ("MERGE", "UPDATE", "DELETE"):
        reads.append(Read(target.name, _columns_of(_alias(target), _conditions(tree), schemas[target.name])))
    where = tree.find(exp.Where) if kind == "DELETE" else None
    return Statement(
        kind,
        target.name if target else None,
        tuple(reads),
        frozenset(column.name for column in where.find_all(exp.Column)) if where else frozenset(),
        kind == "UPDATE" or any(isinstance(when.args.get("then"), exp.Update) for when in tree.find_all(exp.When)),
    )


def _target(tree: Expr) -> exp.Table:
    table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    assert isinstance(table, exp.Table)
    return table


def _conditions(tree: Expr) -> list[Expr]:
    """Return what a statement reads of its target, without the columns that it writes."""
    return [node for node in (tree.args.get("on"), tree.args.get("where")) if node]


def _reads(tree: Expr, schemas: Schemas) -> Iterator[Read]:
    for select in tree.find_all(exp.Select):
        sources = [join.this for join in select.args.get("joins") or ()]
        if source := select.args.get("from_") or select.args.get("from"):
            sources.append(source.this)
        named = [node for node in _own_nodes(select) if isinstance(node, exp.Column | exp.Star)]
        for table in sources:
            if isinstance(table, exp.Table) and (name := _name(table)) in schemas:
                yield Read(name, _columns_of(_alias(table), named, schemas[name]))


def _name(table: exp.Table) -> str:
    """Return a table's name, or that of a table function, without its dataset."""
    called = table.this
    return called.name.rpartition(".")[2] if isinstance(called, exp.Func) else table.name


def _own_nodes(select: exp.Select) -> Iterator[Expr]:
    """Yield the nodes of a SELECT that belong to no SELECT inside it."""
    waiting = list(select.iter_expressions())
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in node.iter_expressions() if not isinstance(child, exp.Select)]


def _columns_of(alias: str, nodes: Sequence[Expr], known: frozenset[str]) -> frozenset[str]:
    columns = [column for node in nodes for column in node.find_all(exp.Column)]
    named = {_column_of(alias, [part.name for part in column.parts]) for column in columns}
    # COUNT(*) reads no column.
    everything = any(isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count) for node in nodes)
    return known if everything else frozenset(named & known)


def _column_of(alias: str, parts: list[str]) -> str:
    """Return the column of a name that may begin with a table's alias and end with fields of JSON."""
    return parts[1] if parts[0] == alias and len(parts) > 1 else parts[0]


def _alias(table: exp.Table) -> str:
    return table.alias or table.name
