"""The next page of alerts is requested with the query of a link, at the own endpoint, whatever host the link names."""

import json

import pytest

from shared.contracts.outcomes import TransientError
from shared.virustotal.alert_reader import AlertReader
from shared.virustotal.api_answer import ApiAnswer
from shared.virustotal.list_reader import ListQuery
from tests.support.doubles import NOON

QUESTION = ListQuery("/dtm/alerts", "refs=false", "updated_at-", 25, fields=("id", "updated_at"))
ALERTS = json.dumps({"alerts": [{"id": "a", "updated_at": "2025-08-07T10:01:57.581Z", "title": "t"}]}).encode()


class Api:
    """Answers with one body and one link, and records the requests."""

    def __init__(self, link: str | None = None, body: bytes = ALERTS) -> None:
        self.asked: list[str] = []
        self._answer = ApiAnswer(body, NOON, link)

    def answer(self, path: str, what: str) -> ApiAnswer:
        """Return the response."""
        self.asked.append(path)
        return self._answer


def test_a_list_is_asked_for_by_its_update() -> None:
    """The request has the longest scroll lifetime and the settings' parameters."""
    api = Api()
    page = AlertReader(api).page(QUESTION)
    assert api.asked == ["/dtm/alerts?sort=updated_at&order=desc&size=25&life=10m&refs=false"]
    assert (page.cursor, page.answered, page.items[0].known) == (
        None,
        NOON,
        {"id": "a", "updated_at": "2025-08-07T10:01:57.581Z"},
    )


@pytest.mark.parametrize(
    ("link", "asked"),
    [
        ('<https://api.intelligence.mandiant.com/v4/dtm/alerts?page=cht3an>; rel="next"', "/dtm/alerts?page=cht3an"),
        ('<http://evil.example/x?page=a%2Bb&y=1>; rel="next"', "/dtm/alerts?page=a%2Bb&y=1"),
        ('</other>; rel="prev", <?page=2>; rel="next"', "/dtm/alerts?page=2"),
    ],
)
def test_only_the_query_of_a_link_is_used(link: str, asked: str) -> None:
    """The query of a link is used unchanged, without other parameters."""
    api = Api(link)
    cursor = AlertReader(api).page(QUESTION).cursor
    AlertReader(api).page(ListQuery(QUESTION.path, QUESTION.filter, QUESTION.order, 25, cursor))
    assert api.asked[1] == asked


@pytest.mark.parametrize(
    "link",
    [
        '<https://api.example/v4/dtm/alerts>; rel="next"',
        '<https://api.example/v4/dtm/alerts?size=3>; rel="next"',
        '<https://api.example/?page=1 HTTP/1.1>; rel="next"',
        '<https://[/?page=1>; rel="next"',
        f'<https://api.example/?page={"x" * 5000}>; rel="next"',
    ],
)
def test_a_link_without_a_page_is_trouble(link: str) -> None:
    """A link without a page is an error, and the list is read from its front again."""
    with pytest.raises(TransientError, match="the link to the next page has no page"):
        AlertReader(Api(link)).page(QUESTION)


@pytest.mark.parametrize("link", [None, "", "nonsense", '<?page=2>; rel="prev"', "<?page=2>"])
def test_without_a_next_link_a_page_is_the_last(link: str | None) -> None:
    """A page without a next link is the last, as in real lists."""
    assert AlertReader(Api(link)).page(QUESTION).cursor is None


def test_an_empty_page_is_the_last_one() -> None:
    """An empty page is the last, even with a link."""
    assert AlertReader(Api('<?page=2>; rel="next"', b'{"alerts": []}')).page(QUESTION).cursor is None


@pytest.mark.parametrize("body", [b"{", b"{}", b"[]", b'{"alerts": null}', b'{"alerts": [1]}', b"<html>"])
def test_an_answer_without_alerts_is_trouble(body: bytes) -> None:
    """A response without alerts is an error, since it says nothing about the list."""
    with pytest.raises(TransientError, match="page of /dtm/alerts: the response"):
        AlertReader(Api(body=body)).page(QUESTION)
