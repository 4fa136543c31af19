"""Fault rules of the VirusTotal simulator, and their effect on a body."""

import bz2
import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from infra.local.faults.rules import FaultBook
from infra.local.virustotal import faults
from infra.local.virustotal.bodies import package_body, package_text
from infra.local.virustotal.faults import Rule, fault_book
from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.packages import Package

MINUTE = datetime(2026, 11, 21, 14, 10, tzinfo=UTC)
PACKAGE = Package(seed="unit", feed="domains", minute=MINUTE, lines=10)
NAME = package_name(MINUTE)
GOOD = package_text(PACKAGE, ())


def rules(*kinds: str) -> list[Rule]:
    """Return rules with default parameters, in a book's order."""
    return [Rule(kind=kind) for kind in sorted(kinds, key=faults.BODIES.index)]


def is_good(line: bytes) -> bool:
    """Return whether a line is an object with a string id."""
    try:
        value = json.loads(line)
    except ValueError:
        return False
    return isinstance(value, dict) and isinstance(value.get("id"), str)


def test_a_good_day_is_one_bzip2_stream_that_ends_with_a_newline() -> None:
    """Without faults the body is the lines, and nothing after them."""
    decompressor = bz2.BZ2Decompressor()
    assert decompressor.decompress(package_body(PACKAGE, ())) == GOOD
    assert decompressor.eof
    assert decompressor.unused_data == b""
    assert GOOD.endswith(b"}\n")
    assert GOOD.count(b"\n") == 10


def test_several_streams_say_the_same() -> None:
    """A multi-stream body decompresses to the same lines."""
    body = package_body(PACKAGE, rules("multi_stream"))
    decompressor = bz2.BZ2Decompressor()
    assert decompressor.decompress(body) != GOOD
    assert decompressor.unused_data.startswith(b"BZh")
    assert bz2.decompress(body) == GOOD


def test_an_empty_package_is_valid_bzip2() -> None:
    """An empty package is not an empty body."""
    body = package_body(PACKAGE, rules("empty"))
    assert body.startswith(b"BZh")
    assert bz2.decompress(body) == b""


def test_a_cut_body_never_reaches_its_end() -> None:
    """A truncated body is the beginning of the real one."""
    decompressor = bz2.BZ2Decompressor()
    decompressor.decompress(package_body(PACKAGE, rules("cut")))
    assert not decompressor.eof


def test_a_corrupt_body_fails_its_checksum() -> None:
    """A body with flipped bits fails its checksum."""
    with pytest.raises((OSError, ValueError, EOFError)):
        bz2.decompress(package_body(PACKAGE, rules("corrupt")))


def test_bad_lines_take_the_place_of_good_ones() -> None:
    """Five bad lines are bad in five ways, and the number of lines does not change."""
    lines = package_text(PACKAGE, [Rule(kind="bad_lines", count=5)]).splitlines()
    bad = [line for line in lines if not is_good(line)]
    assert len(lines) == 10
    assert len(set(bad)) == len(bad) == 5
    assert {line for line in lines if is_good(line)} < set(GOOD.splitlines())


def test_a_mostly_bad_package_is_past_a_tenth() -> None:
    """The default share is twice the limit at which a reader should stop."""
    lines = package_text(PACKAGE, rules("mostly_bad")).splitlines()
    assert sum(not is_good(line) for line in lines) == 2


@pytest.mark.parametrize("of", ["string", "array", "numbers"])
def test_a_big_line_is_still_an_object(of: str) -> None:
    """One line grows to the given size, with a string or an array of many values."""
    rule = Rule.model_validate({"kind": "big_line", "size": 100_000, "of": of})
    first = package_text(PACKAGE, [rule]).splitlines()[0]
    assert len(first) == 100_000
    assert is_good(first)


def test_line_ends_can_differ() -> None:
    """CRLF, blank lines and a missing last line end are separate faults that can be combined."""
    assert package_text(PACKAGE, rules("crlf")).count(b"\r\n") == 10
    assert package_text(PACKAGE, rules("no_final_newline")) == GOOD.removesuffix(b"\n")
    text = package_text(PACKAGE, rules("empty_lines", "crlf", "no_final_newline"))
    assert text.split(b"\r\n").count(b"") == 1
    assert text.endswith(b"}")


def test_body_faults_combine() -> None:
    """A multi-stream body can have bad lines, and garbage at its end."""
    body = package_body(PACKAGE, rules("multi_stream", "bad_lines", "trailing_garbage"))
    text = bz2.decompress(body)
    assert sum(not is_good(line) for line in text.splitlines()) == 1
    assert not body.endswith(package_body(PACKAGE, rules("multi_stream"))[-10:])


def test_what_surrounds_the_lines_changes_none_of_them() -> None:
    """A byte order mark at the beginning, NULs and a newline after the last stream, and a Content-Encoding."""
    assert bz2.decompress(package_body(PACKAGE, rules("byte_order_mark"))) == b"\xef\xbb\xbf" + GOOD
    padded = package_body(PACKAGE, [Rule(kind="trailing_padding", count=5)])
    assert padded == package_body(PACKAGE, ()) + b"\0\0\0\0\0\n"
    assert bz2.decompress(gzip.decompress(package_body(PACKAGE, rules("content_encoding")))) == GOOD
    deflated = package_body(PACKAGE, [Rule(kind="content_encoding", coding="deflate")])
    assert bz2.decompress(zlib.decompress(deflated)) == GOOD


def test_other_formats() -> None:
    """A body can be gzip or an HTML page."""
    assert gzip.decompress(package_body(PACKAGE, rules("gzip_body"))) == GOOD
    assert package_body(PACKAGE, rules("html_body")).startswith(b"<!doctype html>")


def test_a_changed_package_has_other_lines_but_as_many() -> None:
    """A source that changes its past returns other content, the same each time."""
    changed = package_text(PACKAGE, rules("changed"))
    assert changed != GOOD
    assert changed.count(b"\n") == 10
    assert changed == package_text(PACKAGE, rules("changed"))


def book(*given: Rule) -> FaultBook[Rule]:
    """Return a fault book with these rules."""
    made = fault_book("unit")
    made.replace(given)
    return made


def fired(faults_: FaultBook[Rule], feed: str = "domains", minute: str = NAME) -> str | None:
    """Return the kind of the next fault of the API for a minute."""
    rule = faults_.first(faults.ANSWERS, feed=feed, minute=minute)
    return rule.kind if rule else None


def test_faults_heal_one_after_the_other() -> None:
    """Each rule fires `times` times for a minute, then the next one."""
    trouble = book(Rule(kind="unavailable", times=2), Rule(kind="rate_limited", times=1))
    assert [fired(trouble) for _ in range(4)] == ["unavailable", "unavailable", "rate_limited", None]
    assert fired(trouble, minute="202611211411") == "unavailable"


def test_a_total_counts_over_all_minutes() -> None:
    """A storm can end after a total number of requests, for any minutes."""
    storm = book(Rule(kind="unavailable", total=2))
    assert [fired(storm, minute=f"20261121141{number}") for number in range(3)] == ["unavailable"] * 2 + [None]


def test_rules_keep_to_their_feed_and_minute() -> None:
    """A rule for one minute of one feed does not affect others; both spellings name the feed."""
    one = book(Rule(kind="missing", feed="file-behaviours", minute=NAME))
    assert fired(one, feed="file_behaviours") == "missing"
    assert fired(one) is None
    assert fired(one, feed="file_behaviours", minute="202611211411") is None


def test_a_rate_chooses_minutes_by_the_seed() -> None:
    """The same minutes are chosen in every run, in about the given share."""
    minutes = [package_name(MINUTE + timedelta(minutes=number)) for number in range(500)]
    hit = [[fired(book(Rule(kind="missing", rate=0.1)), minute=minute) for minute in minutes] for _ in "ab"]
    assert hit[0] == hit[1]
    assert 25 < sum(kind is not None for kind in hit[0]) < 75


def test_body_faults_come_in_the_order_of_their_work() -> None:
    """Line faults are applied before compression, in any order of the rules."""
    both = book(Rule(kind="cut"), Rule(kind="bad_lines"))
    assert [rule.kind for rule in both.peek(faults.BODIES, feed="domains", minute=NAME)] == ["bad_lines", "cut"]


def test_peeking_fires_nothing() -> None:
    """Peeking does not fire a rule."""
    once = book(Rule(kind="cut", times=1))
    assert once.peek(faults.BODIES, feed="domains", minute=NAME) == once.all(faults.BODIES, feed="domains", minute=NAME)
    assert once.peek(faults.BODIES, feed="domains", minute=NAME) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "no_such_fault"},
        {"kind": "cut", "feed": "no_such_feed"},
        {"kind": "cut", "minute": "2026-11-21"},
        {"kind": "cut", "rate": 2},
        {"kind": "cut", "times": 0},
        {"kind": "cut", "surprise": 1},
    ],
)
def test_a_wrong_rule_is_refused(wrong: dict[str, object]) -> None:
    """An invalid rule must not be ignored silently."""
    with pytest.raises(ValidationError):
        Rule.model_validate(wrong)
