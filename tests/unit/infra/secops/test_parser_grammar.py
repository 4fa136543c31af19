"""The SecOps parsers keep to the grammar and to what Google's pages ask, and each defect would be seen."""

import pytest

from infra.local.secops.parsing.tokens import ParserSyntaxError
from shared.streams.definition import known_streams
from shared.streams.forwarded import FORWARDED_FEEDS, find_forwarded
from tests.support.parser_rules import problems_of
from tests.support.parser_samples import CONTENT, PARSERS, OwnParser

READ = 'json { source => "message" on_error => "not_json" }'
LOG = frozenset({"attributes"})


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.stream)
def test_a_parser_keeps_to_the_grammar(parser: OwnParser) -> None:
    """Statements, operators, quoting, initialised variables, UDM fields and enums."""
    assert problems_of(parser.text, parser.fields) == []


def test_every_parser_is_that_of_a_stream() -> None:
    """A stream or forwarded feed names its parser, and there are sample pages for it."""
    forwarded = map(find_forwarded, (*known_streams(), *FORWARDED_FEEDS))
    declared = {one.name: one.parser for one in forwarded if one.parser}
    assert declared == {parser.stream: parser.name for parser in PARSERS}
    assert set(declared.values()) == {file.stem for file in CONTENT.glob("*.conf")}
    assert all(parser.pages for parser in PARSERS)


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        ('json { source => "message" }', "line 1: json without on_error"),
        (f'{READ} mutate {{ replace => {{ "a" => "%{{attributes.md5}}" }} }}', "line 1: mutate without on_error"),
        (f'{READ} if [attributes][md5] != "" {{ drop {{ tag => "TAG_UNSUPPORTED" }} }}', "may not exist"),
        ('mutate { replace => { "a" => "%{b}" } on_error => "x" } if [a] == "" { }', "line 1: [a] may not exist"),
        ('if [a] == "" { } mutate { replace => { "a" => "" } }', "line 1: [a] may not exist"),
        ("for tag in attributes.tags { } if [tag] { }", "line 1: [tag] may not exist"),
        ('mutate { replace => { "a" => "" } merge => { "b" => "a" } }', "operations of one mutate"),
        ('mutate { merge => {\n"b" => "a"\n"b" => "c" } }', "more than one merge"),
        ('mutate { replace => { "a" => "" "b" => "" } }', "line 1: two pairs in one line"),
        ('mutate { gsub => ["a", "b"] }', "gsub takes threes"),
        ('drop { tag => "TAG_OTHER" }', "drop with the tag 'TAG_OTHER'"),
        ('mutate { replace => { "timestamp" => "" } }', "a variable is named timestamp"),
        ('mutate { replace => { "my-variable" => "" } }', "a hyphen in a name"),
        ('\tdrop { tag => "TAG_UNSUPPORTED" }', "a tab"),
        ('mutate { replace => { "noun.file.sha256sum" => "" } }', "noun.file.sha256sum: no such field in Noun"),
        ('mutate { replace => { "threat.severity" => "VERY_HIGH" } }', "VERY_HIGH is no ProductSeverity"),
        ('date { match => ["a", "UNIX"] target => "noun.file.seen" on_error => "x" }', "no such field in Noun"),
        ('mutate { rename => { "a" => "event1.idm.read_only_udm.metadata.kind" } }', "no such field in UDM"),
    ],
)
def test_a_defect_is_seen(statements: str, problem: str) -> None:
    """Each rule finds what breaks it."""
    assert any(problem in found for found in problems_of(f"filter {{ {statements} }}", LOG))


@pytest.mark.parametrize(
    "text",
    [
        "filter {",
        "filter { } }",
        "mutate { }",
        "filter { ruby { } }",
        'filter { mutate { split => { "a" => "," } } }',
        "filter { mutate { replace => { 'a' => \"\" } } }",
        'filter { mutate { replace => { "a" => "b\\d" } } }',
        'filter { mutate { replace => { "a" = "b" } } }',
        'filter { if [a] = "b" { } }',
        'filter { if a == "b" { } }',
        'filter { if [a] == "b" and { } }',
        'filter { if [a] in "b" { } }',
        'filter { if [a] == "b" }',
        "filter { for a, b, c in d { } }",
        "filter { for a of b { } }",
        'filter { mutate { gsub => ["a" "b"] } }',
    ],
)
def test_what_is_no_parser_is_refused(text: str) -> None:
    """With the line."""
    with pytest.raises(ParserSyntaxError, match=r"line \d"):
        problems_of(text, LOG)
