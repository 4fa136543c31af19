"""The cloud is what topology.yaml declares: services, topics, subscriptions, schedules."""

import pytest

from infra.topology import Topology, keeping_subscription, read_topology
from tests.terraform.planned import Plan

TOPOLOGY: Topology = read_topology()


def _address(service: str) -> str:
    return f"https://{service}-abc.a.run.app"


def test_topics_are_those_of_the_topology(plan: Plan) -> None:
    """With their retention."""
    planned = plan.all("google_pubsub_topic")
    assert {name: one["message_retention_duration"] for name, one in planned.items()} == {
        name: f"{one.retention_seconds}s" for name, one in TOPOLOGY.topics.items()
    }


def test_subscriptions_are_those_of_the_topology(plan: Plan) -> None:
    """None more and none less."""
    assert set(plan.all("google_pubsub_subscription")) == set(TOPOLOGY.subscriptions)


@pytest.mark.parametrize("name", TOPOLOGY.subscriptions)
def test_a_subscription_is_what_the_topology_says(plan: Plan, name: str) -> None:
    """Topic, deadline, retention, backoff, dead letters; and it never expires."""
    declared, one = TOPOLOGY.subscriptions[name], plan.all("google_pubsub_subscription")[name]
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
    """Only their ledger retries without end; and a dead-letter topic without a subscription loses messages."""
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
    """In UTC, to the declared path, with a token for the service, and repeated when they fail."""
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
    """What the clock calls is declared once."""
    assert set(plan.all("google_cloud_scheduler_job")) == set(TOPOLOGY.schedules)


@pytest.mark.parametrize("name", TOPOLOGY.services)
def test_a_service_is_what_the_topology_says(plan: Plan, name: str) -> None:
    """Concurrency, memory, processors, time, instances; and an identity of its own."""
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
    assert container["image"] == "host/path/gti-mesh:0.1.0"


def test_there_are_no_other_services(plan: Plan) -> None:
    """One a service of the topology."""
    assert set(plan.all("google_cloud_run_v2_service")) == set(TOPOLOGY.services)


def test_a_merge_and_a_poll_have_one_instance(plan: Plan) -> None:
    """Two merges of one feed would cancel one another, and both be paid for."""
    services = plan.all("google_cloud_run_v2_service")
    for name in ("merger", "secops-poll"):
        assert services[name]["template"][0]["scaling"][0]["max_instance_count"] == 1


def test_only_the_console_can_be_reached_from_outside(plan: Plan) -> None:
    """And that by IAM alone; everything else is called by Pub/Sub and the clock."""
    services = plan.all("google_cloud_run_v2_service")
    assert {name for name, one in services.items() if one["ingress"] != "INGRESS_TRAFFIC_INTERNAL_ONLY"} == {"console"}
    assert not any(one["invoker_iam_disabled"] for one in services.values())


def test_a_request_outlives_its_push_or_schedule() -> None:
    """A service that is cut off before its caller gives up would leave work half done for nothing."""
    for one in TOPOLOGY.schedules.values():
        assert TOPOLOGY.services[one.service].timeout_seconds >= min(one.deadline_seconds, 600)
