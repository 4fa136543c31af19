"""Every statement of every .sql file is GoogleSQL, by Google's own analyzer, against the declared tables."""

from pathlib import Path

import pytest

from shared.feeds.definition import Feed, Headline, find_feed, known_feeds
from shared.warehouse.provision import views
from shared.warehouse.rendering import render
from shared.warehouse.tables import LEDGER, feed_tables, headline_columns
from tests.contract.googlesql import GoogleSql
from tests.contract.test_bigquery_migrate import ATTRIBUTES, COMPARISON, RELATIONSHIPS, SCRIPT
from tests.documented import DOCUMENTED

REPOSITORY = Path(__file__).parents[2]
DATASET = "my-project.vt_feeds"
MACROS = "headline.sql"
FILES = sorted(
    file
    for pattern in ("shared/**/*.sql", "services/**/*.sql")
    for file in REPOSITORY.glob(pattern)
    if file.name != MACROS
)
# Every type that a headline column can have.
EVERY_TYPE = Feed(
    name="types",
    path="types",
    object_type="type",
    licence="none",
    description='It\'s a feed with "quotes" and a column of every type.',
    version=("seen",),
    headline=(
        Headline(name="seen", type="TIMESTAMP", path="attributes.seen", description="When it's seen."),
        Headline(name="text", type="STRING", path="attributes.text", description="x"),
        Headline(name="number", type="INT64", path="attributes.number", description="x"),
        Headline(name="score", type="FLOAT64", path="attributes.score", description="x"),
        Headline(name="flag", type="BOOL", path="attributes.flag", description="x"),
        Headline(name="words", type="ARRAY<STRING>", path="attributes.words", description="x"),
        Headline(name="least", type="INT64", path="attributes.ranks.*.rank", description="x"),
    ),
)
FEEDS = (*known_feeds().values(), EVERY_TYPE)
DOMAINS = find_feed("domains")


@pytest.fixture(scope="module")
def googlesql() -> GoogleSql:
    """Return the analyzer with every feed's tables and views."""
    analyzer = GoogleSql(DATASET, [LEDGER, *(table for feed in FEEDS for table in feed_tables(feed))])
    for name, sql in views(DATASET, FEEDS):
        (analyzer.add_view if "CREATE OR REPLACE VIEW" in sql else analyzer.add_table_function)(name, sql)
    return analyzer


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_sql_file_is_googlesql(googlesql: GoogleSql, file: Path) -> None:
    """Rendered for a feed, each with the names that it may use."""
    package = ".".join(file.parent.relative_to(REPOSITORY).parts)
    table = feed_tables(DOMAINS)[2]
    sql = render(f"{package}/{file.name}", dataset=DATASET, feed=DOMAINS, table=table, column=table.columns[-1])
    assert googlesql.check(sql)


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_the_merge_is_googlesql(googlesql: GoogleSql, feed: Feed) -> None:
    """And it is the transaction that it is meant to be: bounds inside, each table once."""
    assert googlesql.check(render("services.merger/merge.sql", dataset=DATASET, feed=feed)) == [
        *["VariableDeclaration"] * 4,
        "Begin",
        *["SingleAssignment"] * 4,
        "Merge",
        "Merge",
        "Insert",
        "Delete",
        "Commit",
        "Query",
    ]


def test_views_and_table_functions_are_googlesql(googlesql: GoogleSql) -> None:
    """For every feed, and for columns of every type."""
    for name, sql in views(DATASET, FEEDS):
        assert googlesql.check(sql) == ["CreateTableFunction" if name.endswith("_between") else "CreateView"]


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
@pytest.mark.parametrize(
    "file",
    [
        "shared.warehouse/fill_from_history.sql",
        "services.console/accounts_minutes.sql",
        "services.console/accounts_tables.sql",
        "services.console/outdated.sql",
        "services.console/sample.sql",
    ],
)
def test_what_is_written_per_feed_is_googlesql_for_each(googlesql: GoogleSql, feed: Feed, file: str) -> None:
    """Also for one that has other columns than most."""
    if file != "services.console/sample.sql" or feed != EVERY_TYPE:
        assert googlesql.check(render(file, dataset=DATASET, feed=feed))


@pytest.mark.parametrize("title", DOCUMENTED)
def test_documented_queries_are_googlesql(googlesql: GoogleSql, title: str) -> None:
    """Every one of docs/warehouse.md."""
    assert len(googlesql.check(DOCUMENTED[title].replace("vt_feeds.", f"{DATASET}."))) == 1


def test_columns_of_every_type_can_be_added(googlesql: GoogleSql) -> None:
    """In place."""
    for column in headline_columns(EVERY_TYPE):
        table = feed_tables(EVERY_TYPE)[2]
        sql = render("shared.warehouse/add_column.sql", dataset=DATASET, table=table, column=column)
        assert googlesql.check(sql) == ["AlterTable"]


@pytest.mark.parametrize(
    "wrong",
    [
        "SELECT nope FROM `my-project.vt_feeds.minutes`",
        "SELECT rows FROM `my-project.vt_feeds.minutes`",
        "SELECT 1 FROM `my-project.vt_feeds.minutes` AS a WHERE (minute, feed) > (minute, feed)",
        "SELECT TIMESTAMP_SECONDS(JSON_VALUE(object, '$.a')) FROM `my-project.vt_feeds.domains_history`",
    ],
)
def test_the_analyzer_finds_what_the_emulator_lets_pass(googlesql: GoogleSql, wrong: str) -> None:
    """Or its silence would mean nothing."""
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        googlesql.check(wrong)


@pytest.mark.timeout(600)
def test_the_migration_script_is_googlesql() -> None:
    """Against a wide table of the shape that it is written for."""
    analyzer = GoogleSql("vt_feeds", [LEDGER, *feed_tables(DOMAINS)])
    columns = ", ".join(
        f"CAST(NULL AS {kind}) AS {name}"
        for name, kind in (
            ("id", "STRING"),
            ("attributes", ATTRIBUTES),
            ("relationships", RELATIONSHIPS),
            ("ingestion_timestamp", "TIMESTAMP"),
        )
    )
    analyzer.add_view("domains_snapshot", f"CREATE VIEW x AS SELECT {columns}")
    kinds = analyzer.check(SCRIPT.replace("predecessor.", "vt_feeds."))
    assert kinds == [*["VariableDeclaration"] * 3, "Begin", "Insert", "Insert", "Commit"]
    assert analyzer.check(COMPARISON.replace("predecessor.", "vt_feeds.")) == ["Query"]
