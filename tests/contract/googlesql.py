"""Google's SQL analyzer with the warehouse as its catalog: BigQuery can read what passes here.

It is the GoogleSQL reference implementation, compiled to WebAssembly. Setup takes half a minute of CPU time.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from zetasql.api import CatalogBuilder, ConstantBuilder, Parser, TableBuilder, TypeFactory
from zetasql.core.local_service import ZetaSqlLocalService
from zetasql.types import (
    AnalyzerOptions,
    ASTScript,
    LanguageFeature,
    LanguageOptions,
    ResolvedCreateTableFunctionStmt,
    ResolvedCreateViewStmt,
    ResolvedStatement,
    SimpleCatalog,
    SimpleTable,
    Type,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)

from shared.warehouse.tables import Column, Table

_KINDS = {
    "BOOL": TypeKind.TYPE_BOOL,
    "FLOAT64": TypeKind.TYPE_DOUBLE,
    "INT64": TypeKind.TYPE_INT64,
    "JSON": TypeKind.TYPE_JSON,
    "STRING": TypeKind.TYPE_STRING,
    "TIMESTAMP": TypeKind.TYPE_TIMESTAMP,
}
NO_VARIABLES: Mapping[str, Type] = MappingProxyType({})


def _type_of(name: str) -> Type:
    element = name.removeprefix("ARRAY<").removesuffix(">")
    simple = TypeFactory.create_simple_type(_KINDS[element])
    return simple if element == name else TypeFactory.create_array_type(simple)


def language() -> LanguageOptions:
    """Return GoogleSQL with BigQuery's options."""
    options = LanguageOptions.maximum_features()
    options.reserved_keywords.append("QUALIFY")
    # BigQuery has it (data-definition-language, view_column_name_list); the analyzer counts it as unfinished.
    options.enabled_language_features.append(LanguageFeature.FEATURE_CREATE_VIEWS_WITH_COLUMN_OPTIONS)
    return options


class GoogleSql:
    """Analyses statements and scripts against the tables and views of one dataset, written as `project.dataset`."""

    def __init__(self, dataset: str, tables: Iterable[Table]) -> None:
        self._dataset = dataset
        self._language = language()
        self._tables = [self._table(table) for table in tables]
        self._functions: list[str] = []
        self._service = ZetaSqlLocalService.get_instance()
        self._registered: dict[tuple[int, tuple[str, ...]], int] = {}
        self._options = AnalyzerOptions(language_options=self._language, allow_undeclared_parameters=True)

    def add_view(self, name: str, create: str) -> None:
        """Analyse a CREATE VIEW and let later statements read the view."""
        statement = self._analyze(create)
        assert isinstance(statement, ResolvedCreateViewStmt)
        view = TableBuilder(f"{self._dataset}.{name}")
        for output in statement.output_column_list:
            view.add_column(output.name, output.column.type)
        self._tables.append(view.build())

    def add_table_function(self, name: str, create: str) -> None:
        """Analyse a CREATE TABLE FUNCTION and let later statements call it."""
        statement = self._analyze(create)
        assert isinstance(statement, ResolvedCreateTableFunctionStmt)
        self._functions.append(f"`{self._dataset}.{name}`")
        table = TableBuilder(f"{self._dataset}.{name}")
        for output in statement.output_column_list:
            table.add_column(output.name, output.column.type)
        self._tables.append(table.build())

    def _without_calls(self, sql: str) -> str:
        """Replace each call of a table function with a table, and check its arguments separately.

        The analyzer's WebAssembly traps on a catalog that contains a table function.
        """
        for function in self._functions:
            while (start := sql.find(f"{function}(")) >= 0:
                first = start + len(function) + 1
                last = _closing(sql, first)
                self._analyze(f"SELECT {sql[first:last]}")
                sql = f"{sql[: first - 1]}{sql[last + 1 :]}"
        return sql

    def check(self, sql: str) -> list[str]:
        """Analyse a statement, or every statement of a script, and return their kinds. Raises the analyzer's error."""
        sql = self._without_calls(sql) if "CREATE OR REPLACE TABLE FUNCTION" not in sql else sql
        parsed = Parser.parse_script_static(sql, self._language)
        assert isinstance(parsed, ASTScript)
        return list(self._statements(sql.encode(), parsed))

    def _statements(self, source: bytes, script: ASTScript) -> Iterator[str]:
        variables: dict[str, Type] = {}
        for node in script.statement_list_node.statement_list:
            kind = type(node).__name__.removeprefix("AST").removesuffix("Statement")
            text = source[node.parse_location_range.start : node.parse_location_range.end].decode()
            if kind == "VariableDeclaration":
                _, name, type_name, *default = text.split(maxsplit=3)
                if default:
                    self._analyze(f"SELECT {default[0].removeprefix('DEFAULT ')}", variables)
                variables[name] = _type_of(type_name)
            elif kind == "SingleAssignment":
                name, _, value = text.removeprefix("SET ").partition(" = ")
                assert name in variables, name
                self._analyze(f"SELECT {value}", variables)
            else:
                self._analyze(text, variables)
            yield kind

    def _analyze(self, sql: str, variables: Mapping[str, Type] = NO_VARIABLES) -> ResolvedStatement:
        # A catalog that is sent with every statement takes longer than its analysis.
        key = (len(self._tables), tuple(variables))
        if key not in self._registered:
            catalog = self._catalog(variables)
            self._registered[key] = self._service.register_catalog(simple_catalog=catalog).registered_id
        return self._service.analyze(
            sql_statement=sql, options=self._options, registered_catalog_id=self._registered[key]
        ).resolved_statement

    def _catalog(self, variables: Mapping[str, Type]) -> SimpleCatalog:
        catalog = CatalogBuilder("warehouse").with_builtin_functions(
            ZetaSQLBuiltinFunctionOptions(language_options=self._language)
        )
        for table in self._tables:
            catalog.add_table(table)
        for name, kind in variables.items():
            # The analyzer knows no script variables; to a statement they are constants.
            catalog.add_constant(ConstantBuilder(name).set_type(kind).build())
        return catalog.build()

    def _table(self, table: Table) -> SimpleTable:
        built = TableBuilder(f"{self._dataset}.{table.name}")
        for column in table.columns:
            built.add_column(column.name, _type(column))
        return built.build()


def _type(column: Column) -> Type:
    kind = TypeFactory.create_simple_type(_KINDS[column.type])
    return TypeFactory.create_array_type(kind) if column.mode == "REPEATED" else kind


def _closing(sql: str, start: int) -> int:
    """Return the position of the parenthesis that closes the one before `start`."""
    depth = 1
    for at in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[at], 0)
        if not depth:
            return at
    raise ValueError("a parenthesis never closes")
