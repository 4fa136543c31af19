"""The fault engine of all simulators, and its control endpoint."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.faults.routes import fault_routes
from infra.local.faults.rules import FaultBook, Rule
from infra.local.secops import faults as secops
from infra.local.virustotal import faults as feeds
from infra.local.virustotal.streams.faults import ListRule
from infra.local.web import Answer, Request, dispatch
from tests.support.paths import DOCS

KINDS = ("early", "late")


class Place(Rule):
    """A rule for one street that counts per house."""

    kinds: ClassVar[frozenset[str]] = frozenset(KINDS)
    selectors: ClassVar[tuple[str, ...]] = ("street", "guest")
    counted_by: ClassVar[tuple[str, ...]] = ("house",)

    street: str | None = None
    guest: str | None = None


def book(*rules: Place) -> FaultBook[Place]:
    """Return a fault book with these rules."""
    made: FaultBook[Place] = FaultBook()
    made.replace(rules)
    return made


def fired(faults: FaultBook[Place], house: int = 1, street: str = "a", guest: object = None) -> str | None:
    """Return the kind of fault that a request gets."""
    rule = faults.first(KINDS, house=house, street=street, guest=guest)
    return rule.kind if rule else None


def test_a_rule_lets_requests_pass_and_heals() -> None:
    """`after` good responses are followed by `times` faults, then by good ones again."""
    faults = book(Place(kind="early", after=2, times=2))
    assert [fired(faults) for _ in range(6)] == [None, None, "early", "early", None, None]


def test_times_count_for_each_house_and_total_for_all() -> None:
    """Two requests of one house do not use up the faults of the next."""
    assert [fired(book(Place(kind="early", times=1)), house) for house in (1, 2)] == ["early"] * 2
    faults = book(Place(kind="early", times=2, total=3))
    assert [fired(faults, house) for house in (1, 1, 1, 2, 2)] == ["early", "early", None, "early", None]


def test_the_first_due_rule_fires_and_the_later_keep_their_turns() -> None:
    """Every rule counts every matching request, even if another rule responds."""
    faults = book(Place(kind="early", times=1), Place(kind="late", times=1))
    assert [fired(faults) for _ in range(3)] == ["early", "late", None]
    faults = book(Place(kind="early", times=2), Place(kind="late", after=2, times=1))
    assert [fired(faults) for _ in range(4)] == ["early", "early", "late", None]


def test_a_rule_meets_only_what_it_selects() -> None:
    """A field that is set must match; a request with several values of a field matches each."""
    faults = book(Place(kind="early", street="a"), Place(kind="late", guest="x"))
    assert fired(faults, street="a") == "early"
    assert fired(faults, street="b") is None
    assert fired(faults, street="b", guest=frozenset("wxyz")) == "late"


def test_all_fire_in_the_order_of_the_kinds_and_peeking_fires_none() -> None:
    """The order of the kinds decides, not the order of the rules."""
    faults = book(Place(kind="late", times=1), Place(kind="early", times=1))
    request: dict[str, Any] = {"house": 1, "street": "a"}
    assert faults.peek(KINDS, **request) == faults.all(KINDS, **request)
    assert faults.all(KINDS, **request) == []
    faults.replace([Place(kind="late"), Place(kind="early")])
    assert [rule.kind for rule in faults.all(KINDS, **request)] == ["early", "late"]


@given(after=st.integers(0, 5), times=st.integers(1, 5), requests=st.lists(st.integers(1, 3), max_size=40))
def test_exactly_the_requests_after_and_up_to_times_meet_it(after: int, times: int, requests: list[int]) -> None:
    """For each house the requests after+1 to after+times get the fault, in any order of houses."""
    faults = book(Place(kind="early", after=after, times=times))
    seen = dict.fromkeys(range(1, 4), 0)
    for house in requests:
        seen[house] += 1
        assert (fired(faults, house) == "early") == (after < seen[house] <= after + times)


class Endpoint:
    """The control endpoint of a book."""

    def __init__(self) -> None:
        self.book = book()
        self._respond = dispatch(fault_routes(self.book, Place), lambda _: Answer(404))

    def ask(self, method: str, body: object = None, query: Mapping[str, str] | None = None) -> Any:
        """Call the endpoint; return the rules, or the status of a refusal."""
        answer = self._respond(Request(method, "/control/faults", query=query or {}, body=json.dumps(body).encode()))
        return json.loads(answer.body) if answer.status == 200 else answer.status


def test_rules_are_set_added_listed_and_ended() -> None:
    """PUT replaces, POST appends, GET lists the counts, DELETE deletes matching rules."""
    endpoint = Endpoint()
    early, late = {"kind": "early", "times": 1}, {"kind": "late", "street": "a"}
    assert endpoint.ask("PUT", [early]) == [{**early, "fired": 0}]
    assert endpoint.ask("POST", [late]) == [{**early, "fired": 0}, {**late, "fired": 0}]
    assert [fired(endpoint.book) for _ in range(3)] == ["early", "late", "late"]
    assert endpoint.ask("GET") == [{**early, "fired": 1}, {**late, "fired": 2}]
    assert endpoint.ask("DELETE", query={"kind": "late", "street": "b"}) == endpoint.ask("GET")
    assert endpoint.ask("DELETE", query={"kind": "late", "street": "a"}) == [{**early, "fired": 1}]
    assert endpoint.ask("DELETE") == []


@pytest.mark.parametrize(
    ("method", "body", "query"),
    [
        ("PUT", [{"kind": "never"}], {}),
        ("POST", [{"kind": "early", "surprise": 1}], {}),
        ("PUT", [{"kind": "early", "times": 0}], {}),
        ("PUT", "early", {}),
        ("DELETE", None, {"kind": "never"}),
        ("DELETE", None, {"surprise": "1"}),
    ],
)
def test_what_is_misspelt_is_refused_and_changes_nothing(method: str, body: object, query: dict[str, str]) -> None:
    """An invalid script is refused when it is sent."""
    endpoint = Endpoint()
    endpoint.ask("PUT", [{"kind": "late"}])
    assert endpoint.ask(method, body, query) == 400
    assert endpoint.ask("GET") == [{"kind": "late", "fired": 0}]


@pytest.mark.parametrize("rule", [feeds.Rule, ListRule, secops.Rule])
def test_the_page_names_every_fault(rule: type[Rule]) -> None:
    """docs/simulators.md lists every fault."""
    page = (DOCS / "simulators.md").read_text(encoding="utf-8")
    assert not {kind for kind in rule.kinds if f"`{kind}`" not in page}
