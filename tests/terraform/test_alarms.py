"""Alarms, dashboard and metrics fit together, and each alarm leads to its page."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from services.console import feeds
from tests.terraform.code import ROOT
from tests.terraform.planned import Plan

PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
HEADINGS = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)}

# What must not happen unnoticed.
ALARMS = {
    "backlog",
    "dead-letters",
    "freshness",
    "coverage",
    "merge",
    "runs",
    "absent",
    "quota",
    "key",
    "lost",
    "defect",
}


def conditions(plan: Plan) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every condition of every alarm, whatever its kind, with the alarm's name."""
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


def own_metric(text: str) -> str | None:
    """Return the log-based metric that a filter reads."""
    found = re.search(r'"logging\.googleapis\.com/user/(gti_mesh/\w+)"', text)
    return found.group(1) if found else None


def metrics(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """Return the log-based metrics by name."""
    return {one["name"]: one for one in plan.all("google_logging_metric").values()}


def test_every_alarm_is_there(plan: Plan) -> None:
    """And none that this list does not know."""
    assert set(plan.all("google_monitoring_alert_policy")) == ALARMS
    assert {name for name, _ in conditions(plan)} == ALARMS


def test_every_alarm_leads_to_a_section_that_exists(full_plan: Plan) -> None:
    """By a link where the page's address is known, and in words in any case."""
    for name, policy in full_plan.all("google_monitoring_alert_policy").items():
        (documentation,) = policy["documentation"]
        (link,) = documentation["links"]
        place = re.search(r"docs/operations\.md#([a-z-]+)", documentation["content"])
        assert place, name
        assert place.group(1) in HEADINGS, name
        assert link["url"] == f"https://git.example.org/docs/operations.md#{place.group(1)}"


def test_every_alarm_reaches_somebody(full_plan: Plan) -> None:
    """Addresses given become channels, and every alarm knows them."""
    (channel,) = full_plan.all("google_monitoring_notification_channel").values()
    assert channel["labels"] == {"email_address": "soc@example.org"}
    for policy in full_plan.all("google_monitoring_alert_policy").values():
        assert len(policy["notification_channels"]) == 1


def test_every_metric_that_is_read_exists_and_none_is_made_for_nothing(plan: Plan) -> None:
    """Alarms and charts read log-based metrics by name."""
    read = {own_metric(one["filter"]) for one in (*charts(plan), *(one for _, one in conditions(plan)))} - {None}
    assert read == set(metrics(plan))


def test_series_are_told_apart_by_labels_that_the_metric_has(plan: Plan) -> None:
    """A label that does not exist would melt all feeds into one."""
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
    """A figure is written once a sweep; a sum over a quarter of an hour would count it twice."""
    for one in charts(plan):
        if own_metric(one["filter"]) == f"gti_mesh/{name}":
            assert one["aggregation"]["perSeriesAligner"] == "ALIGN_PERCENTILE_50"
    assert metrics(plan)[f"gti_mesh/{name}"]["value_extractor"] == f"EXTRACT(jsonPayload.{name})"


def test_metrics_of_pubsub_are_those_that_the_page_explains(plan: Plan) -> None:
    """Whoever is woken can look the figure up."""
    texts = [one["filter"] for one in charts(plan)] + [one["filter"] for _, one in conditions(plan)]
    names = {found for text in texts for found in re.findall(r"pubsub\.googleapis\.com/subscription/(\w+)", text)}
    assert names
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_alarms_and_status_agree_on_what_is_wrong(plan: Plan) -> None:
    """A feed that one calls stale is stale for the other."""
    thresholds = {name: one["threshold_value"] for name, one in conditions(plan) if "threshold_value" in one}
    assert thresholds["freshness"] == feeds._STALE_AFTER.total_seconds() / 60
    # Six in a row lie in the bucket from 6 to 7, whose median is above 6.
    assert thresholds["absent"] == feeds._MOST_ABSENT_IN_A_ROW + 1


def test_a_minute_is_no_status(plan: Plan) -> None:
    """Minute 04:29 of a package's name is no answer of 429."""
    pattern = re.search(r'message=~"(.+)"$', metrics(plan)["gti_mesh/quota"]["filter"])
    assert pattern
    text = "push.retry: SourceTrouble: package domains 202611210429: VirusTotal answered {} X: y"
    counts = re.compile(pattern.group(1))
    assert counts.search(text.format(429))
    assert not counts.search(text.format(503))


def test_without_feeds_nobody_is_woken_for_them(full_plan: Plan) -> None:
    """With feeds every alarm is on."""
    assert all(one["enabled"] for one in full_plan.all("google_monitoring_alert_policy").values())
