"""The filter language of subscriptions."""

import pytest

from infra.local.pubsub_server.filters import parse_filter

MESSAGE = {"feed": "domains", "minute": "2026-11-21", "iana.org/language_tag": "en"}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True),
        ("attributes:feed", True),
        ("attributes:missing", False),
        ('attributes.feed = "domains"', True),
        ('attributes.feed="files"', False),
        ('attributes.feed != "files"', True),
        ('attributes.missing != "files"', True),
        ('attributes."iana.org/language_tag" = "en"', True),
        ('hasPrefix(attributes.feed, "dom")', True),
        ('hasPrefix(attributes.missing, "")', False),
        ("NOT attributes:feed", False),
        ("-attributes:missing", True),
        ('attributes:feed AND attributes.minute = "2026-11-21" AND attributes:minute', True),
        ("attributes:feed AND attributes:missing", False),
        ("attributes:missing OR attributes:feed", True),
        ("(attributes:missing OR attributes:feed) AND NOT (attributes:feed AND attributes:missing)", True),
        (r'attributes.feed = "dom\u0061ins"', True),
    ],
)
def test_a_filter_decides_by_attributes(text: str, passes: bool) -> None:
    """Keys and values are compared with the operators of Cloud Pub/Sub."""
    assert parse_filter(text)(MESSAGE) is passes


@pytest.mark.parametrize(
    "text",
    [
        "feed",
        "attributes",
        "attributes.feed",
        "attributes.feed =",
        'attributes.feed < "x"',
        'attributes = "x"',
        "attributes:feed attributes:minute",
        "attributes:feed OR attributes:minute AND attributes:x",
        "(attributes:feed",
        "attributes:feed)",
        "hasPrefix(attributes.feed)",
        'attributes.feed = "open',
        "attributes:)",
        "NOT",
    ],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    """Mixing AND and OR without parentheses is refused, as by Cloud Pub/Sub."""
    with pytest.raises(ValueError, match=r"expected|unexpected"):
        parse_filter(text)
