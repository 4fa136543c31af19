"""Alerts, issues and collections at a fast pace change within minutes, and nothing flows from before the run."""

from infra.local.virustotal.streams.alerts import Alerts
from infra.local.virustotal.streams.collections import collections
from infra.local.virustotal.streams.issues import PROJECTS, Issues
from infra.local.virustotal.streams.pace import Pace
from infra.local.virustotal.streams.timeline import Timeline
from tests.support.virustotal import NOW

BEGAN = NOW.timestamp()
FAST = Pace(times=300, since=BEGAN)
PROJECT = next(iter(PROJECTS))


def test_nothing_is_from_before_the_run() -> None:
    """At its begin, and by a clock that is set back, there is nothing at all."""
    for now in (BEGAN, BEGAN - 12_000):
        assert not [*Alerts("s", FAST).latest(now, flowing=True)]
        assert not [*Issues("s", FAST).current(PROJECT, now, flowing=True)]
        assert not [*collections("s", "vulnerability", int(now), 0, 2**62, FAST)]
        assert not [*Timeline("s", 5, BEGAN + 1).notifications(int(now), 0, 2**62)]


def test_notifications_flow_from_the_run_on() -> None:
    """Those that were added keep an earlier date."""
    timeline = Timeline("s", 5, BEGAN)
    timeline.add(count=2, date=int(BEGAN) - 3600, spacing=1.0, padding=0, text=None)
    dates = [one.date - BEGAN for one in timeline.notifications(int(BEGAN) + 60, 0, 2**62)]
    assert sorted(dates)[:2] == [-3600, -3599]
    assert len(dates) > 10
    assert all(date >= 0 for date in sorted(dates)[2:])


def test_alerts_are_summarised_and_read_within_seconds() -> None:
    """The newest is as it came, and older ones have the versions that real ones have after hours."""
    found = [*Alerts("s", FAST).latest(BEGAN + 60, flowing=True)]
    assert {(one.status, one.summarised) for one in found} == {("new", False), ("new", True), ("read", True)}
    assert all(BEGAN < one.created <= one.updated <= BEGAN + 60 for one in found)
    assert len({one.id for one in found}) == len(found) == 30


def test_issues_are_triaged_without_a_date_and_seen_again() -> None:
    """Triage changes the status alone; a later scan moves last_seen of every open issue."""
    issues = Issues("s", FAST)
    times = [BEGAN + seconds for seconds in (30, 60, 400)]
    before, later, last = [{one.id: one for one in issues.current(PROJECT, now, flowing=True)} for now in times]
    triaged = [one for one in before.values() if (later[one.id].status, one.status) == ("open_triaged", "open_new")]
    assert triaged
    assert all(last[name].last_seen > one.last_seen for name, one in before.items())
    assert {one.status for one in last.values()} >= {"open_new", "open_triaged", "closed_mitigated"}


def test_the_same_collections_are_modified_again() -> None:
    """Few of a type change often, so that a poll sees many versions of each."""
    now = int(BEGAN) + 60
    first, second = (
        {one.id: one.date for one in collections("s", "vulnerability", at, 0, 2**62, FAST)} for at in (now, now + 10)
    )
    assert first.keys() == second.keys()
    assert all(second[name] > date for name, date in first.items())
