"""Every statement of every .sql file is valid GoogleSQL for the declared tables, by Google's own analyzer."""

from pathlib import Path

import pytest

from shared.feeds.definition import Feed, Headline, find_feed, known_feeds
from shared.warehouse.provision import feed_views, views
from shared.warehouse.rendering import render
from shared.warehouse.tables import LEDGER, feed_tables, headline_columns
from tests.contract.googlesql import GoogleSql
from tests.contract.test_bigquery_migrate import ATTRIBUTES, COMPARISON, RELATIONSHIPS, SCRIPT
from tests.support.documented import DOCUMENTED, OF_LISTS, OF_STREAMS
from tests.support.json_fields import QUESTIONS, Question
from tests.support.paths import REPOSITORY

DATASET = "my-project.vt_feeds"
MACROS = {"headline.sql", "furthest.sql", "fence.sql", "cut.sql"}
MACRO_FILES = {REPOSITORY / "shared/warehouse" / name for name in ("versions.sql", "insert_newest.sql")}
FILES = sorted(
    file
    for pattern in ("shared/**/*.sql", "services/**/*.sql")
    for file in REPOSITORY.glob(pattern)
    if file.name not in MACROS and file not in MACRO_FILES
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
        Headline(name="written", type="TIMESTAMP", path="attributes.written", description="x", as_text=True),
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


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_sql_file_is_googlesql(googlesql: GoogleSql, file: Path) -> None:
    """Each file is valid when rendered for a feed, with only the names that it may use."""
    package = ".".join(file.parent.relative_to(REPOSITORY).parts)
    table = feed_tables(DOMAINS)[2]
    names = {
        "feed": DOMAINS,
        "table": table,
        "column": table.columns[-1],
        "max_lines": 1000,
        "max_hours": 10,
        "keep_hours": 2,
        "chance_hours": 6,
        "old_hours": 8,
        "source": "domains_base",
        "first": "domains_base",
        "second": "domains_base",
        "columns": headline_columns(DOMAINS),
        "since": "2026-11-21 14:10:00+00",
        "minute": "2026-11-21 14:10:00+00",
    }
    sql = render(f"{package}/{file.name}", dataset=DATASET, **names)
    assert googlesql.check(sql)


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_the_merge_is_googlesql(googlesql: GoogleSql, feed: Feed) -> None:
    """The merge is one transaction: it updates the fence first, sets its bounds, and then only inserts and clears."""
    sql = render("services.merger/merge.sql", dataset=DATASET, feed=feed, max_lines=1000, max_hours=10)
    assert googlesql.check(sql) == [
        *["VariableDeclaration"] * 8,
        "Begin",
        "Update",
        *["SingleAssignment"] * 8,
        "Merge",
        "Insert",
        "Insert",
        "Delete",
        "Commit",
        "Query",
    ]


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_the_fold_is_googlesql(googlesql: GoogleSql, feed: Feed) -> None:
    """The fold is one transaction: it updates the fence first, and deletes nothing before base is written."""
    for keep_hours in (2, None):
        sql = render("services.merger/fold.sql", dataset=DATASET, feed=feed, keep_hours=keep_hours, max_hours=3000)
        assert [kind for kind in googlesql.check(sql) if kind not in ("VariableDeclaration", "SingleAssignment")] == [
            *("Begin", "Update", "Insert", "Delete", "Update", "Delete", "Commit", "Query")
        ]


def test_views_and_table_functions_are_googlesql(googlesql: GoogleSql) -> None:
    """Views and table functions are valid for every feed and for columns of every type."""
    for name, sql in views(DATASET, FEEDS):
        assert googlesql.check(sql) == ["CreateTableFunction" if name.endswith("_between") else "CreateView"]


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
@pytest.mark.parametrize(
    "file",
    [
        "shared.warehouse/fill_from_history.sql",
        "shared.operations/accounts_minutes.sql",
        "shared.operations/accounts_tables.sql",
        "shared.operations/accounts_current.sql",
        "shared.operations/outdated.sql",
        "shared.operations/changed_columns.sql",
        "shared.operations/history_lines.sql",
        "shared.warehouse/history_rows.sql",
        "infra.local.demo/sample.sql",
    ],
)
def test_what_is_written_per_feed_is_googlesql_for_each(googlesql: GoogleSql, feed: Feed, file: str) -> None:
    """Statements rendered per feed are valid for each feed, including feeds with unusual columns."""
    # The sample is of a feed that is not a stream.
    if file != "infra.local.demo/sample.sql" or (feed != EVERY_TYPE and feed.source != "streams"):
        assert googlesql.check(render(file, dataset=DATASET, feed=feed))


@pytest.mark.parametrize("title", [*DOCUMENTED, *OF_LISTS, *OF_STREAMS])
def test_documented_queries_are_googlesql(googlesql: GoogleSql, title: str) -> None:
    """Every query of the documents is valid."""
    assert len(googlesql.check((DOCUMENTED | OF_LISTS | OF_STREAMS)[title].replace("vt_feeds.", f"{DATASET}."))) == 1


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.title)
def test_fields_of_json_are_googlesql(googlesql: GoogleSql, question: Question) -> None:
    """The statements that the local warehouse gets for JSON fields are valid in BigQuery."""
    assert googlesql.check(question.sql.replace("vt_feeds.", f"{DATASET}.")) == ["Query"]


def test_columns_of_every_type_can_be_added(googlesql: GoogleSql) -> None:
    """Columns of every type can be added to an existing table."""
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
    """The analyzer rejects statements that the emulator accepts."""
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        googlesql.check(wrong)


def test_the_migration_script_is_googlesql() -> None:
    """The migration script is valid for a wide table of the shape that it expects."""
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
    analyzer.add_view(*next(feed_views("vt_feeds", DOMAINS)))
    kinds = analyzer.check(SCRIPT.replace("predecessor.", "vt_feeds."))
    assert [kind for kind in kinds if kind not in ("VariableDeclaration", "SingleAssignment")] == [
        *("Begin", "Update", "Merge", "Insert", "Delete", "Update", "Insert", "Commit")
    ]
    assert analyzer.check(COMPARISON.replace("predecessor.", "vt_feeds.")) == ["Query"]
