"""The interpreter runs a parser as Google's pages describe the language."""

import json
from datetime import UTC, datetime

import pytest

from infra.local.secops.parsing.interpreter import Dropped, ParserError, run_parser
from infra.local.secops.parsing.state import Dialect
from infra.local.secops.parsing.syntax import read_parser

RECEIVED = datetime(2026, 6, 2, tzinfo=UTC)
READ = 'json { source => "message" array_function => "split_columns" on_error => "not_json" }'
OUT = 'mutate { merge => { "@output" => "event1" } }'
TARGET = "event1.idm.read_only_udm.metadata.description"


def described(statements: str, log: object = None, dialect: Dialect | None = None) -> object:
    """Return what statements put into the description of an event."""
    parser = read_parser(f"filter {{ {READ} {statements} {OUT} }}")
    [record] = run_parser(parser, json.dumps(log or {}), RECEIVED, dialect or Dialect())
    event = record["event"]
    assert isinstance(event, dict)
    return event["metadata"].get("description")


def put(template: str) -> str:
    """Return a statement that describes the event."""
    return f'mutate {{ replace => {{ "{TARGET}" => "{template}" }} }}'


def test_a_missing_field_ends_the_parser_unless_the_error_is_caught() -> None:
    """In a template; on_error says afterwards whether there was one."""
    with pytest.raises(ParserError, match=r'"a\.b": field not set'):
        described(put("%{a.b}"))
    caught = 'mutate { replace => { "x" => "%{a.b}" } on_error => "no" } '
    assert described(caught + f"if [no] {{ {put('none')} }}") == "none"
    assert described(caught + f"if ![no] {{ {put('some')} }}", {"a": {"b": "c"}}) == "some"


@pytest.mark.parametrize("log", [{}, {"a": None}])
def test_a_condition_about_a_missing_field_ends_the_parser(log: object) -> None:
    """There is no on_error for it."""
    with pytest.raises(ParserError, match=r'"a\.b" not found in state data'):
        described(f'if [a][b] == "" {{ {put("x")} }}', log)


def test_an_initialised_field_may_be_missing_from_the_log() -> None:
    """The log's values come into what exists."""
    initialised = 'mutate { replace => { "a.b" => "" } } '
    parser = read_parser(f'filter {{ {initialised} {READ} if [a][b] == "" {{ {put("empty")} }} {OUT} }}')
    [record] = run_parser(parser, '{"a": {"c": 1}}', RECEIVED)
    assert record["event"] == {"metadata": {"description": "empty", "event_timestamp": RECEIVED}}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('[a] == "x"', True),
        ('[a] != "x"', False),
        ('[a] =~ "^[xy]$"', True),
        ('[a] !~ "x"', False),
        ('[a] in ["x", "y"]', True),
        ('[a] not in ["x", "y"]', False),
        ("[a] == [b]", False),
        ("[a] == [c][0]", True),
        ('!([a] == "x")', False),
        ('[a] == "y" or [b] == "y" and [a] == "x"', True),
        ('([a] == "y" or [b] == "y") and [a] == "y"', False),
    ],
)
def test_conditions(condition: str, holds: object) -> None:
    """`and` binds closer than `or`."""
    log = {"a": "x", "b": "y", "c": ["x"]}
    statements = f"if {condition} {{ {put('yes')} }} else {{ {put('no')} }}"
    assert described(statements, log) == ("yes" if holds else "no")


def test_only_the_first_branch_that_holds_is_run() -> None:
    """Of if, else if and else."""
    statements = f'if [a] == "x" {{ {put("1")} }} else if [a] == "x" {{ {put("2")} }} else {{ {put("3")} }}'
    assert described(statements, {"a": "x"}) == "1"


@pytest.mark.parametrize("values", [None, [], "absent"])
def test_a_loop_over_nothing_is_not_run(values: object) -> None:
    """Missing, null or empty."""
    log = {} if values == "absent" else {"a": values}
    assert described(put("before") + f"for x in a {{ {put('%{x}')} }}", log) == "before"


def test_loops() -> None:
    """Over a list with and without its index, and over an object in the order of its keys."""
    assert described(f"for x in a {{ {put('%{x}')} }}", {"a": ["1", "2"]}) == "2"
    convert = 'mutate { convert => { "i" => "string" } on_error => "no" } '
    assert described(f"for i, x in a {{ {convert} {put('%{i}%{x}')} }}", {"a": ["p", "q"]}) == "1q"
    assert described(f"for k, v in a map {{ {put('%{k}%{v}')} }}", {"a": {"z": "1", "b": "2"}}) == "z1"


def test_the_number_of_a_template_depends_on_the_dialect() -> None:
    """It is an error, or its text."""
    with pytest.raises(ParserError, match="not a string"):
        described(put("%{a}"), {"a": 5})
    assert described(put("%{a}"), {"a": 5}, Dialect(numbers_as_text=True)) == "5"


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [(5, "string", "5"), (5.5, "string", "5.5"), ("7", "integer", None), ("x", "integer", "")],
)
def test_convert(value: object, kind: str, text: str | None) -> None:
    """What does not convert stays as it was."""
    statements = f'mutate {{ convert => {{ "a" => "{kind}" }} on_error => "no" }} '
    if text is None:
        assert described(statements + f'mutate {{ rename => {{ "a" => "{TARGET}" }} }}', {"a": value}) == 7
    else:
        assert described(statements + put("%{a}"), {"a": value}) == (text or value)


def test_merge_rename_and_copy() -> None:
    """merge and rename pass over what is missing, copy does not; a copy shares nothing."""
    assert described('mutate { merge => { "l" => "none" } } mutate { rename => { "none" => "x" } }' + put("ok")) == "ok"
    with pytest.raises(ParserError, match="field not set"):
        described('mutate { copy => { "x" => "none" } }')
    copied = 'mutate { copy => { "b" => "a" } } mutate { replace => { "a.c" => "new" } }'
    assert described(copied + put("%{b.c}"), {"a": {"c": "old"}}) == "old"


def test_substitutions_are_made_one_after_another() -> None:
    """In the order of the text."""
    assert described('mutate { gsub => ["a", "1", "2", "a", "2(x?)", "3$1"] }' + put("%{a}"), {"a": "12x"}) == "33x"


def test_dates_and_groks() -> None:
    """A date without a target is the event's; what does not match is an error."""
    date = 'date { match => ["a", "yyyy-MM-dd HH:mm:ss", "UNIX"] on_error => "no" }'
    parser = read_parser(f"filter {{ {READ} {date} {put('x')} {OUT} }}")
    [record] = run_parser(parser, '{"a": "1780272000"}', RECEIVED)
    assert record["event"]["metadata"]["event_timestamp"] == datetime(2026, 6, 1, tzinfo=UTC)  # type: ignore[index]
    grok = 'grok { match => { "a" => ["^(?P<first>[a-z])"] } on_error => "no" }'
    assert described(grok + put("%{first}"), {"a": "xy"}) == "x"
    assert described(date + grok + f"if [no] {{ {put('none')} }}", {"a": "1"}) == "none"


def test_a_dropped_log_gives_nothing() -> None:
    """With its tag."""
    with pytest.raises(Dropped, match="TAG_UNSUPPORTED"):
        described('drop { tag => "TAG_UNSUPPORTED" }')


def test_one_log_can_give_an_event_and_an_entity() -> None:
    """Each under its own name."""
    feed = 'mutate { replace => { "event2.idm.entity.metadata.feed" => "f" } }'
    parser = read_parser(f"filter {{ {READ} {put('x')} {feed} {OUT} {OUT.replace('event1', 'event2')} }}")
    event, other = run_parser(parser, "{}", RECEIVED)
    assert list(event) == ["event"]
    assert other == {"entity": {"metadata": {"feed": "f"}}}
