"""The plan of a soak is a function of its seed, and holds what it promises."""

from collections import Counter
from datetime import timedelta

from infra.local.virustotal.feeds import FEEDS
from tests.soak.plan import (
    ALERTS,
    HEALING,
    JOBS,
    KILLED,
    LASTING,
    LISTS,
    LISTS_HEALING,
    LISTS_LASTING,
    POINTS,
    PUBSUB,
    SECOPS,
    plan_events,
    plan_list_oddities,
    plan_oddities,
)
from tests.support.doubles import NOON


def test_a_seed_is_a_plan() -> None:
    """The same seed gives the same events at the same times, another seed others."""
    plans = [plan_events(seed, seconds=600, kills=50, embedded=True) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    assert [event.at for event in plans[0]] == sorted(event.at for event in plans[0])


def test_a_long_plan_has_every_kind() -> None:
    """Every part is killed, every fault point armed, and every fault that the plan names has its turn."""
    events = plan_events(3, seconds=3600, kills=300, embedded=True)
    whom = {(event.what, event.whom) for event in events}
    assert {("kill", part) for part in KILLED} <= whom
    assert {("point", f"{service}.{place}") for service, place in POINTS} <= whom
    assert {("pubsub", kind) for kind in PUBSUB} <= whom
    assert {("secops", kind) for kind in SECOPS} | {("lists", kind) for kind in LISTS} <= whom
    assert {("alerts", kind) for kind in ALERTS} | {("load jobs", kind) for kind in JOBS} <= whom
    assert Counter(event.what in ("kill", "point") for event in events)[True] == 300
    assert events[-1].at < 3600


def test_a_quarter_of_the_packages_is_odd() -> None:
    """Every fault of the source's packages comes, and of no minute is more than one thing wrong."""
    minutes = [NOON - timedelta(minutes=150 + number) for number in range(400)]
    oddities = plan_oddities(4, FEEDS, minutes, NOON)
    assert {oddity.kind for oddity in oddities} == {*HEALING, *LASTING, "missing"}
    assert len({(oddity.feed, oddity.minute) for oddity in oddities}) == len(oddities)
    assert 0.2 * 400 * len(FEEDS) < len(oddities) <= 0.25 * 400 * len(FEEDS)


def test_every_hour_of_threat_lists_has_one_odd_list() -> None:
    """In few hours those that the lists are known for; no list is missing while its hour would wait for it."""
    hours = [NOON - timedelta(hours=3 + number) for number in range(40)]
    oddities = plan_list_oddities(5, ("malware", "phishing"), hours, NOON)
    assert [oddity.kind for oddity in oddities[:5]] == [
        "rate_limited", "null", "truncated", "forbidden", "not_available_yet",
    ]  # fmt: skip
    assert {oddity.kind for oddity in oddities} == {*LISTS_HEALING, *LISTS_LASTING}
    assert len({oddity.hour for oddity in oddities}) == len(oddities)
    assert all(NOON - oddity.hour > timedelta(hours=8) for oddity in oddities if oddity.kind == "missing")
