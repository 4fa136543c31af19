"""Alarms, dashboard and metrics are consistent, and each alarm links to its page."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest
from croniter import croniter

from infra.topology import read_topology
from shared.contracts.outcomes import ERROR_TYPES
from shared.operations.health import MAX_ABSENT_IN_A_ROW, STALE_AFTER
from tests.support.doubles import NOON
from tests.terraform.code import ROOT
from tests.terraform.planned import Plan, Workspace

PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
HEADINGS = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)}

# Every event that the services' code names, at the beginning of the text of a log call.
EVENTS = {
    event
    for part in ("services", "shared")
    for file in (ROOT / part).rglob("*.py")
    for event in re.findall(r"log\.\w+\(\s*\"([a-z]+\.[a-z_]+)[:\"]", file.read_text(encoding="utf-8"))
}

# What must not happen unnoticed.
ALARMS = {
    "backlog",
    "dead-letters",
    "freshness",
    "coverage",
    "merge",
    "fold",
    "schedules",
    "runs",
    "absent",
    "quota",
    "key",
    "licence",
    "destination",
    "lost",
    "cut",
    "defect",
}


def conditions(plan: Plan) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every condition of every alarm, of any kind, with the alarm's name."""
    for name, policy in plan.all("google_monitoring_alert_policy").items():
        for one in policy["conditions"]:
            for kind in ("condition_threshold", "condition_absent"):
                yield from ((name, each) for each in one[kind])


def charts(plan: Plan) -> list[Mapping[str, Any]]:
    """Return the queries of the dashboard."""
    (dashboard,) = plan.all("google_monitoring_dashboard").values()
    tiles = json.loads(dashboard["dashboard_json"])["mosaicLayout"]["tiles"]
    return [
        one["timeSeriesQuery"]["timeSeriesFilter"] for tile in tiles for one in tile["widget"]["xyChart"]["dataSets"]
    ]


def test_the_dashboard_has_no_position_of_zero(plan: Plan) -> None:
    """The dashboard has no position of zero: the API leaves it out, so every plan would set it again."""
    (dashboard,) = plan.all("google_monitoring_dashboard").values()
    tiles = json.loads(dashboard["dashboard_json"])["mosaicLayout"]["tiles"]
    assert {(tile.get("xPos", 0), tile.get("yPos", 0)) for tile in tiles} == {
        (place % 2 * 24, place // 2 * 12) for place in range(len(tiles))
    }
    assert all(tile.get(name) != 0 for tile in tiles for name in ("xPos", "yPos"))


# Of the metrics of Google's that are read: cloud.google.com/monitoring/api/metrics_gcp.
UNITS = {
    "pubsub.googleapis.com/subscription/oldest_unacked_message_age": "s",
    "pubsub.googleapis.com/subscription/num_undelivered_messages": "1",
    "pubsub.googleapis.com/subscription/push_request_latencies": "us",
    "pubsub.googleapis.com/subscription/push_request_count": "1",
    "run.googleapis.com/container/instance_count": "1",
}


def test_charts_have_the_units_of_their_metrics(plan: Plan) -> None:
    """Charts have the units of their metrics; otherwise they would be off by a factor of a thousand."""
    (dashboard,) = plan.all("google_monitoring_dashboard").values()
    for tile in json.loads(dashboard["dashboard_json"])["mosaicLayout"]["tiles"]:
        for one in tile["widget"]["xyChart"]["dataSets"]:
            query = one["timeSeriesQuery"]
            (metric,) = re.findall(r'metric\.type = "([^"]+)"', query["timeSeriesFilter"]["filter"])
            log_based = own_metric(query["timeSeriesFilter"]["filter"])
            expected = metrics(plan)[log_based]["metric_descriptor"][0]["unit"] if log_based else UNITS[metric]
            assert query["unitOverride"] == expected, metric


def own_metric(text: str) -> str | None:
    """Return the log-based metric that a filter uses."""
    found = re.search(r'"logging\.googleapis\.com/user/(gti_mesh/\w+)"', text)
    return found.group(1) if found else None


def metrics(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """Return the log-based metrics by name."""
    return {one["name"]: one for one in plan.all("google_logging_metric").values()}


def test_every_alarm_is_there(plan: Plan) -> None:
    """Every alarm of the list exists, and no other."""
    assert set(plan.all("google_monitoring_alert_policy")) == ALARMS
    assert {name for name, _ in conditions(plan)} == ALARMS


def test_every_alarm_leads_to_a_section_that_exists(full_plan: Plan) -> None:
    """Every alarm links to an existing section, by address if the page's is known, and by name in any case."""
    for name, policy in full_plan.all("google_monitoring_alert_policy").items():
        (documentation,) = policy["documentation"]
        (link,) = documentation["links"]
        place = re.search(r"docs/operations\.md#([a-z-]+)", documentation["content"])
        assert place, name
        assert place.group(1) in HEADINGS, name
        assert link["url"] == f"https://git.example.org/docs/operations.md#{place.group(1)}"


def test_every_alarm_reaches_somebody(full_plan: Plan) -> None:
    """The given addresses become channels, and every alarm uses them."""
    (channel,) = full_plan.all("google_monitoring_notification_channel").values()
    assert channel["labels"] == {"email_address": "soc@example.org"}
    for policy in full_plan.all("google_monitoring_alert_policy").values():
        assert len(policy["notification_channels"]) == 1


def test_every_metric_that_is_read_exists_and_none_is_made_for_nothing(plan: Plan) -> None:
    """Alarms and charts use existing log-based metrics, and every metric is used."""
    read = {own_metric(one["filter"]) for one in (*charts(plan), *(one for _, one in conditions(plan)))} - {None}
    assert read == set(metrics(plan))


def test_series_are_told_apart_by_labels_that_the_metric_has(plan: Plan) -> None:
    """Series are grouped by labels that the metric has; a missing label would merge all feeds into one."""
    aggregated = [(one["filter"], one["aggregation"]["groupByFields"]) for one in charts(plan)]
    for _, one in conditions(plan):
        aggregated += [(one["filter"], each["group_by_fields"] or []) for each in one["aggregations"]]
    for text, fields in aggregated:
        name = own_metric(text)
        labels = {f"metric.label.{key}" for key in metrics(plan)[name]["label_extractors"]} if name else set()
        if name:
            assert fields, text
            assert set(fields) <= labels, text


@pytest.mark.parametrize("name", ["freshness_minutes", "uncovered_minutes", "coverage_percent", "absent_in_a_row"])
def test_figures_are_read_at_their_median_and_counters_summed(plan: Plan, name: str) -> None:
    """Figures are written once per sweep, so their median is read; a sum over 15 minutes would count them twice."""
    for one in charts(plan):
        if own_metric(one["filter"]) == f"gti_mesh/{name}":
            assert one["aggregation"]["perSeriesAligner"] == "ALIGN_PERCENTILE_50"
    assert metrics(plan)[f"gti_mesh/{name}"]["value_extractor"] == f"EXTRACT(jsonPayload.{name})"


def test_metrics_of_pubsub_are_those_that_the_page_explains(plan: Plan) -> None:
    """Each metric of Pub/Sub in an alarm is documented."""
    texts = [one["filter"] for one in charts(plan)] + [one["filter"] for _, one in conditions(plan)]
    names = {found for text in texts for found in re.findall(r"pubsub\.googleapis\.com/subscription/(\w+)", text)}
    assert names
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_alarms_and_status_agree_on_what_is_wrong(plan: Plan) -> None:
    """Alarms and status have the same thresholds."""
    thresholds = {name: one["threshold_value"] for name, one in conditions(plan) if "threshold_value" in one}
    assert thresholds["freshness"] == STALE_AFTER.total_seconds() / 60
    # Six in a row lie in the bucket from 6 to 7, whose median is above 6.
    assert thresholds["absent"] == MAX_ABSENT_IN_A_ROW + 1


def test_every_schedule_that_runs_is_missed_when_it_is_silent(plan: Plan, full_plan: Plan) -> None:
    """After two and a half intervals, and not before 15 minutes; of the calls that reached a service."""

    def silences(found: Plan) -> dict[str, str]:
        policy = found.all("google_monitoring_alert_policy")["schedules"]
        absent = {one["display_name"]: one["condition_absent"][0] for one in policy["conditions"]}
        assert all(f'metric.label.schedule = "{name}"' in one["filter"] for name, one in absent.items())
        return {name: one["duration"] for name, one in absent.items()}

    # Every 1, 10, 60, 30 and 5 minutes; in the full plan merges come every 15 minutes.
    every = {"plan": "900s", "sweep": "1500s", "dead-letters": "9000s", "merge": "4500s", "secops-poll": "900s"}
    assert set(every) == set(read_topology().schedules)
    assert silences(full_plan) == {**every, "merge": "2400s"}
    # Without SecOps the poll is paused.
    assert silences(plan) == {name: duration for name, duration in every.items() if name != "secops-poll"}
    # The most that Cloud Monitoring takes.
    assert len(every) <= 6
    calls = metrics(plan)["gti_mesh/calls"]["filter"]
    assert all(f'"{name}"' in calls for name in every)


@pytest.mark.parametrize("chosen", ["plan", "full_plan"])
def test_runs_that_all_fail_raise_an_alarm_however_rare_they_are(request: pytest.FixtureRequest, chosen: str) -> None:
    """A failed run is called once more by its schedule; one run alone raises none."""
    planned: Plan = request.getfixturevalue(chosen)
    counted = [one for _, one in conditions(planned) if own_metric(one["filter"]) == "gti_mesh/failed_runs"]
    topology = read_topology()
    for name, job in planned.all("google_cloud_scheduler_job").items():
        calls = croniter(job["schedule"], NOON)
        interval = (calls.get_next(datetime) - calls.get_prev(datetime)).total_seconds()
        feed = "dead-letters" if name == "dead-letters" else "domains"
        able = []
        for one in counted:
            of_feed = re.search(r'label\.feed = "([^"]+)"', one["filter"])
            if f'"{topology.schedules[name].service}"' in one["filter"] and (not of_feed or of_feed[1] == feed):
                assert one["threshold_value"] >= 2, one["filter"]
                seconds = int(one["aggregations"][0]["alignment_period"].removesuffix("s"))
                able.append(seconds // interval * 2 > one["threshold_value"])
        assert any(able), name


def test_nobody_misses_schedules_that_all_rest(configuration: Workspace) -> None:
    """Without feeds and SecOps every schedule is paused, and the alarm is off."""
    off = configuration.plan(feeds=[])
    policy = off.all("google_monitoring_alert_policy")["schedules"]
    assert (policy["enabled"], len(policy["conditions"])) == (False, len(read_topology().schedules))


def test_metrics_read_fields_and_no_prose(plan: Plan) -> None:
    """Metrics read fields only: minute 04:29 in a name is not a 429, and foreign text cannot trigger an alarm."""
    for name, metric in metrics(plan).items():
        if name == "gti_mesh/calls":
            continue
        assert "jsonPayload.message" not in metric["filter"], name
        assert "=~" not in metric["filter"], name
        events = re.findall(r'"([a-z]+\.[a-z_]+)"', metric["filter"].partition("jsonPayload.event=")[2])
        assert events, name
        assert [event for event in events if event not in EVENTS] == []
        types = set(re.findall(r'jsonPayload\.error_type="(\w+)"', metric["filter"]))
        assert types <= ERROR_TYPES


def test_without_feeds_nobody_is_woken_for_them(full_plan: Plan) -> None:
    """With feeds every alarm is on."""
    assert all(one["enabled"] for one in full_plan.all("google_monitoring_alert_policy").values())
