"""Issues: the search is part of the path, the project a header, and a response without success is trouble."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import pytest

from shared.contracts.outcomes import Misconfigured, TransientError
from shared.virustotal.api_answer import ApiAnswer
from shared.virustotal.issue_reader import IssueReader, IssueSearch

SEARCH = IssueSearch("10101", "last_seen_after:2026-11-21T11:59:59.999Z severity_lte:2", 1000)
DATE = datetime(2026, 11, 21, tzinfo=UTC)
HIT = '{"id": "a", "last_seen": "2026-11-21T12:00:00.000Z", "score": 1.50, "summary": {"status": null}}'


class Api:
    """Answers with one body, and keeps what was asked for."""

    def __init__(self, body: object) -> None:
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(self, path: str, what: str, headers: Mapping[str, str]) -> ApiAnswer:
        """Return the answer."""
        assert what
        self.asked.append((path, headers))
        return ApiAnswer(self._body, DATE)


def page(hits: str = HIT, **result: object) -> bytes:
    """Return a page of hits."""
    rest = json.dumps({"timed_out": False, "total_hits": 1, **result})[1:]
    return f'{{"success": true, "message": "m", "result": {{"hits": [{hits}], {rest}}}'.encode()


def test_a_search_is_encoded_into_the_path() -> None:
    """With its project in a header, and its token in the query."""
    api = Api(page())
    IssueReader(api).search(IssueSearch("10101", SEARCH.text, 7, "a+b/c="))
    [(target, headers)] = api.asked
    assert headers == {"PROJECT-ID": "10101"}
    split = urlsplit(target)
    assert split.query == "page_size=7&page_token=a%2Bb%2Fc%3D"
    path, _, text = split.path.rpartition("/")
    assert (path, unquote(text)) == ("/asm/search/issues", SEARCH.text)
    assert not set(text) & set(" :/?#")


def test_a_hit_gets_its_project_and_is_unchanged_otherwise() -> None:
    """An issue does not name its project."""
    found = IssueReader(Api(page(next_page_token="t", more=True))).search(SEARCH)
    [item] = found.items
    assert item.text == b'{"project_id":"10101",' + HIT.replace(" ", "").encode()[1:]
    assert item.known == json.loads(item.text)
    assert (found.total, found.token, found.answered, found.capped) == (1, "t", DATE, False)


def test_an_empty_hit_stays_valid() -> None:
    """It has its project alone."""
    [item] = IssueReader(Api(page("{}"))).search(SEARCH).items
    assert item.known == {"project_id": "10101"}


def test_a_hit_that_is_nested_too_deeply_does_not_hide_the_others() -> None:
    """It has no known fields."""
    deep = f'{{"id": "b", "x": {"[" * 100_000}{"]" * 100_000}}}'
    first, second = IssueReader(Api(page(f"{HIT}, {deep}"))).search(SEARCH).items
    assert first.known["id"] == "a"
    assert (second.known, second.text[:22]) == ({}, b'{"project_id":"10101",')


@pytest.mark.parametrize(
    ("result", "token"),
    [
        ({"next_page_token": "t"}, "t"),
        ({"next_page_token": "t", "more": True}, "t"),
        ({"next_page_token": "t", "more": False}, None),
        ({"next_page_token": None, "more": True}, None),
        ({"next_page_token": "", "more": True}, None),
    ],
)
def test_a_search_ends_without_a_token_or_more(result: dict[str, object], token: str | None) -> None:
    """And with an empty page, which may have a token."""
    assert IssueReader(Api(page(HIT, **result))).search(SEARCH).token == token
    assert IssueReader(Api(page("", **result))).search(SEARCH).token is None


def test_as_many_hits_as_are_counted_may_be_more() -> None:
    """A search counts 10,000."""
    counted = [
        IssueReader(Api(page(total_hits=count))).search(SEARCH).capped for count in (9_999, 10_000, None, "many")
    ]
    assert counted == [False, True, False, False]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b"[]",
        b'{"success": true}',
        b'{"success": true, "result": null}',
        b'{"success": true, "result": {"hits": null}}',
        b'{"success": true, "result": {"hits": [1]}}',
        b'{"success": true, "result": {"hits": [{]}}',
        b'{"success": 1, "result": {"hits": []}}',
        page(timed_out=True),
        page(next_page_token="\ud800"),
    ],
)
def test_an_answer_without_hits_is_trouble(body: bytes) -> None:
    """It says nothing about what there is."""
    with pytest.raises(TransientError, match="page of /asm/search/issues of project 10101: "):
        IssueReader(Api(body)).search(SEARCH)


def test_no_success_is_trouble_in_the_sources_words() -> None:
    """Although the status is 200."""
    body = {"success": False, "message": "Project not found", "result": None}
    for ask in (lambda: IssueReader(Api(body)).search(SEARCH), lambda: IssueReader(Api(body)).projects()):
        with pytest.raises(
            TransientError, match=r'without success: "Project not found"; if it lasts, check ASM_PROJECT'
        ):
            ask()


def test_the_projects_are_those_of_the_setting_or_of_the_key() -> None:
    """Only the latter are asked for."""
    api = Api({"success": True, "message": "m", "result": [{"id": 10101, "name": "n"}, {"id": "x-2"}]})
    assert IssueReader(api, ["7"]).projects() == ("7",)
    assert not api.asked
    assert IssueReader(api).projects() == ("10101", "x-2")


@pytest.mark.parametrize("name", [None, 1.5, [], "", "a b", "é", "\ud800", "7\r\nx-apikey: 8", "x" * 65])
def test_an_id_that_no_header_can_have_is_trouble(name: object) -> None:
    """A project's id is sent as a header."""
    api = Api({"success": True, "message": "m", "result": [{"id": name}]})
    with pytest.raises(TransientError, match="no list of projects"):
        IssueReader(api).projects()
    assert api.asked == [("/asm/projects", {})]


def test_a_key_without_a_project_is_misconfigured() -> None:
    """The text says which setting helps."""
    with pytest.raises(Misconfigured, match="no ASM project: set ASM_PROJECTS"):
        IssueReader(Api({"success": True, "message": "m", "result": []})).projects()


@pytest.mark.parametrize("result", [None, {}, [1], [{"name": "n"}], "x"])
def test_an_answer_without_projects_is_trouble(result: object) -> None:
    """It does not mean that there are none."""
    with pytest.raises(TransientError, match="list of ASM projects"):
        IssueReader(Api({"success": True, "message": "m", "result": result})).projects()
