"""The cloud is what topology.yaml declares: services, topics, subscriptions, schedules."""

import pytest

from infra.topology import Topology, keeping_subscription, read_topology
from tests.terraform.configuration import blocks
from tests.terraform.planned import IMAGE, Plan

TOPOLOGY: Topology = read_topology()


def _address(service: str) -> str:
    return f"https://{service}-abc.a.run.app"


def test_topics_are_those_of_the_topology(plan: Plan) -> None:
    """The topics and their retention are those of the topology."""
    planned = plan.all("google_pubsub_topic")
    assert {name: one["message_retention_duration"] for name, one in planned.items()} == {
        name: f"{one.retention_seconds}s" for name, one in TOPOLOGY.topics.items()
    }


def test_subscriptions_are_those_of_the_topology(plan: Plan) -> None:
    """The subscriptions are exactly those of the topology."""
    assert set(plan.all("google_pubsub_subscription")) == set(TOPOLOGY.subscriptions)


@pytest.mark.parametrize("name", TOPOLOGY.subscriptions)
def test_a_subscription_is_what_the_topology_says(plan: Plan, name: str) -> None:
    """A subscription has the topology's topic, deadline, retention, backoff and dead letters, and never expires."""
    declared, one = TOPOLOGY.subscriptions[name], plan.all("google_pubsub_subscription")[name]
    assert one.get("filter") == declared.filter
    backoff, dead = declared.backoff, declared.dead_letter
    assert one["topic"].endswith(f"/topics/{declared.topic}")
    assert one["ack_deadline_seconds"] == declared.ack_deadline_seconds
    assert one["message_retention_duration"] == f"{declared.retention_seconds}s"
    assert one["expiration_policy"] == [{"ttl": ""}]
    assert [(each["minimum_backoff"], each["maximum_backoff"]) for each in one["retry_policy"]] == (
        [(f"{backoff.minimum_seconds}s", f"{backoff.maximum_seconds}s")] if backoff else []
    )
    assert [(each["dead_letter_topic"], each["max_delivery_attempts"]) for each in one["dead_letter_policy"]] == (
        [(f"projects/my-project/topics/{dead.topic}", dead.max_attempts)] if dead else []
    )


@pytest.mark.parametrize("name", [name for name, one in TOPOLOGY.subscriptions.items() if one.push])
def test_pushes_go_to_the_declared_service_and_path_with_a_token_for_it(plan: Plan, name: str) -> None:
    """The audience is the service's address without the path, which is what Cloud Run checks."""
    push = TOPOLOGY.subscriptions[name].push
    assert push
    (planned,) = plan.all("google_pubsub_subscription")[name]["push_config"]
    assert planned["push_endpoint"] == f"{_address(push.service)}{push.path}"
    (token,) = planned["oidc_token"]
    assert token["service_account_email"].startswith("gti-mesh-push@")
    assert token["audience"] == _address(push.service)


def test_every_push_has_a_dead_letter_that_is_kept(plan: Plan) -> None:
    """Every push subscription has dead letters, which are kept in a subscription; only the ledger's retry for ever."""
    planned = plan.all("google_pubsub_subscription")
    for name, one in planned.items():
        if not one["push_config"] or name.endswith("-dead-ledger"):
            continue
        (policy,) = one["dead_letter_policy"]
        keeping = planned[keeping_subscription(policy["dead_letter_topic"].rpartition("/")[2])]
        assert keeping["topic"] == policy["dead_letter_topic"]
        assert not keeping["push_config"]


@pytest.mark.parametrize("name", TOPOLOGY.schedules)
def test_schedules_are_those_of_the_topology(plan: Plan, name: str) -> None:
    """Schedules are in UTC, call the declared path with a token, and are retried when they fail."""
    declared, one = TOPOLOGY.schedules[name], plan.all("google_cloud_scheduler_job")[name]
    assert (one["schedule"], one["time_zone"]) == (declared.cron, "Etc/UTC")
    assert one["attempt_deadline"] == f"{declared.deadline_seconds}s"
    assert [each["retry_count"] for each in one["retry_config"]] == [1]
    (target,) = one["http_target"]
    assert (target["http_method"], target["uri"]) == ("POST", f"{_address(declared.service)}{declared.path}")
    (token,) = target["oidc_token"]
    assert token["service_account_email"].startswith("gti-mesh-scheduler@")
    assert token["audience"] == _address(declared.service)


def test_there_are_no_other_schedules(plan: Plan) -> None:
    """Every schedule is declared in the topology."""
    assert set(plan.all("google_cloud_scheduler_job")) == set(TOPOLOGY.schedules)


@pytest.mark.parametrize("name", TOPOLOGY.services)
def test_a_service_is_what_the_topology_says(plan: Plan, name: str) -> None:
    """A service has the topology's concurrency, memory, processors, timeout and instances, and its own identity."""
    declared, one = TOPOLOGY.services[name], plan.all("google_cloud_run_v2_service")[name]
    (template,) = one["template"]
    (container,) = template["containers"]
    (scaling,) = template["scaling"]
    assert template["service_account"] == f"gti-mesh-{name}@my-project.iam.gserviceaccount.com"
    assert template["max_instance_request_concurrency"] == declared.concurrency
    assert template["timeout"] == f"{declared.timeout_seconds}s"
    assert (scaling["min_instance_count"], scaling["max_instance_count"]) == (
        declared.instances.min,
        declared.instances.max,
    )
    assert container["resources"][0]["limits"] == {"cpu": declared.cpu, "memory": declared.memory}
    assert container["image"] == IMAGE


def test_there_are_no_other_services(plan: Plan) -> None:
    """There is one service for each of the topology."""
    assert set(plan.all("google_cloud_run_v2_service")) == set(TOPOLOGY.services)


def test_a_merge_and_a_poll_have_one_instance(plan: Plan) -> None:
    """Merger and poll have one instance: two merges of one feed would cancel each other, and both be billed."""
    services = plan.all("google_cloud_run_v2_service")
    for name in ("merger", "secops-poll"):
        assert services[name]["template"][0]["scaling"][0]["max_instance_count"] == 1


def test_only_the_status_page_can_be_reached_from_outside(plan: Plan) -> None:
    """Only the status page accepts external requests, with IAM; Pub/Sub and schedules call all others."""
    services = plan.all("google_cloud_run_v2_service")
    assert {name for name, one in services.items() if one["ingress"] != "INGRESS_TRAFFIC_INTERNAL_ONLY"} == {
        "status-page"
    }
    assert not any(one["invoker_iam_disabled"] for one in services.values())


def test_a_request_outlives_its_push_or_schedule() -> None:
    """A request's timeout is longer than its caller's; otherwise its work would be interrupted for nothing."""
    for one in TOPOLOGY.schedules.values():
        assert TOPOLOGY.services[one.service].timeout_seconds >= min(one.deadline_seconds, 600)


def test_no_service_starts_before_its_rights(plan: Plan) -> None:
    """A revision without them would nack what it is given, for the minutes that a new grant takes."""
    granting = {one["type"] for one in plan.resources if one["type"].endswith("_iam_member")}
    # Who may call a service, what Google's agents do, and who builds, matter to no revision.
    elsewhere = {
        "google_cloud_run_v2_job_iam_member",
        "google_cloud_run_v2_service_iam_member",
        "google_pubsub_subscription_iam_member",
        "google_service_account_iam_member",
    }
    (service,) = [block for block in blocks() if block.address == "google_cloud_run_v2_service.this"]
    waited = {str(one).strip("${}") for one in service.body["depends_on"]}
    assert {f"{kind}.this" for kind in granting - elsewhere} <= waited
    assert {"google_bigquery_dataset.this", "google_project_iam_member.secops"} <= waited
