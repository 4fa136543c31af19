"""The declared topology, and what its validation refuses."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from infra.topology import parse_topology, read_topology
from services.downloader.settings import DownloaderSettings
from services.loader.settings import LoaderSettings
from shared.contracts.messages import FEED_MINUTES, IOC_PAGES, MINUTES_LANDED, dead_letter_topic
from shared.contracts.outcomes import Misconfigured

Change = Callable[[dict[str, Any]], object]


def declared() -> dict[str, Any]:
    """Return the real file's content, to be modified."""
    data: dict[str, Any] = yaml.safe_load((resources.files("infra") / "topology.yaml").read_text(encoding="utf-8"))
    return data


def refusal(change: Change) -> list[str]:
    """Return the errors after a change."""
    data = declared()
    change(data)
    with pytest.raises(Misconfigured) as refused:
        parse_topology(yaml.safe_dump(data), "topology.yaml")
    return str(refused.value).splitlines()


def test_cloud_values_are_those_of_the_design() -> None:
    """The ack deadline is 600 s, backoff runs from 10 to 600 s over 100 attempts, and messages are kept for 7 days."""
    for name in ("downloader", "loader", "secops-import", "secops-landings"):
        one = read_topology().subscriptions[name]
        assert one.backoff
        assert one.dead_letter
        assert (one.ack_deadline_seconds, one.retention_seconds) == (600, 7 * 86_400)
        assert (one.backoff.minimum_seconds, one.backoff.maximum_seconds) == (10, 600)
        assert (one.dead_letter.topic, one.dead_letter.max_attempts) == (dead_letter_topic(one.topic), 100)


@pytest.mark.parametrize(("subscription", "settings"), [("downloader", DownloaderSettings), ("loader", LoaderSettings)])
def test_work_ends_before_its_ack_deadline(subscription: str, settings: type[BaseSettings]) -> None:
    """Every time limit is below the ack deadline; otherwise a slow message would be processed twice at once."""
    too_long = read_topology().subscriptions[subscription].ack_deadline_seconds
    name = str(settings.model_fields["deadline_seconds"].validation_alias)
    with pytest.raises(ValidationError, match=name):
        settings.model_validate({"GCP_PROJECT": "my-project", "LANDING_BUCKET": "landing", name: too_long})


def test_topics_are_those_of_the_messages_and_their_dead_letters() -> None:
    """Every topic that the code publishes to exists."""
    topics = {FEED_MINUTES, MINUTES_LANDED, IOC_PAGES}
    assert set(read_topology().topics) == topics | {dead_letter_topic(topic) for topic in topics}


@pytest.mark.parametrize("dead", ["feed-minutes-dead", "minutes-landed-dead", "ioc-pages-dead"])
def test_dead_letters_are_kept_and_recorded(dead: str) -> None:
    """One subscription keeps dead letters for 31 days, another writes them to the ledger and retries without limit."""
    subscriptions = read_topology().subscriptions
    keeping, ledger = subscriptions[dead], subscriptions[f"{dead}-ledger"]
    assert (keeping.topic, keeping.push, keeping.retention_seconds) == (dead, None, 31 * 86_400)
    assert ledger.push
    assert (ledger.topic, ledger.push.service, ledger.dead_letter) == (dead, "loader-dead", None)


def test_local_profile_shortens_retries_of_pushes_only() -> None:
    """On one machine a failed push is redelivered within seconds; nothing else differs."""
    cloud, local = read_topology(), read_topology("local")
    push, ledger = local.subscriptions["downloader"], local.subscriptions["feed-minutes-dead-ledger"]
    assert push.backoff
    assert push.dead_letter
    assert ledger.backoff
    assert push.backoff.maximum_seconds == ledger.backoff.maximum_seconds == 10
    assert push.ack_deadline_seconds == ledger.ack_deadline_seconds == 120
    assert ledger.dead_letter is None
    assert local.subscriptions["feed-minutes-dead"] == cloud.subscriptions["feed-minutes-dead"]
    assert (local.services, local.topics, local.schedules) == (cloud.services, cloud.topics, cloud.schedules)


def test_unknown_profile_is_refused_with_the_known_ones() -> None:
    """The error lists the known profiles."""
    with pytest.raises(Misconfigured, match="unknown profile 'moon'; the topology has: local"):
        read_topology("moon")


def test_file_is_plain_enough_for_yamldecode() -> None:
    """Terraform's yamldecode does not support anchors, aliases or tags."""
    text = (resources.files("infra") / "topology.yaml").read_text(encoding="utf-8")
    tokens = list(yaml.scan(text))
    assert not [token for token in tokens if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken)]


def test_another_file_is_named_in_its_refusal(tmp_path: Path) -> None:
    """The error names the file."""
    file = tmp_path / "mine.yaml"
    file.write_text("services: {}\n", encoding="utf-8")
    with pytest.raises(Misconfigured, match=rf"^{file}: topics: Field required\n"):
        read_topology(path=file)


def test_text_that_is_no_yaml_is_refused_with_its_place() -> None:
    """A syntax error has line and column."""
    with pytest.raises(Misconfigured, match=r"^t\.yaml: line 1, column 12: expected the node content"):
        parse_topology("services: [", "t.yaml")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda data: data["subscriptions"]["downloader"].update(ack_deadline_seconds=601),
            "subscriptions.downloader.ack_deadline_seconds: Input should be less than or equal to 600",
        ),
        (
            lambda data: data["subscriptions"]["downloader"]["backoff"].update(maximum_seconds=601),
            "subscriptions.downloader.backoff.maximum_seconds: Input should be less than or equal to 600",
        ),
        (
            lambda data: data["subscriptions"]["downloader"]["backoff"].update(minimum_seconds=30, maximum_seconds=20),
            "subscriptions.downloader.backoff: minimum_seconds is above maximum_seconds",
        ),
        (
            lambda data: data["subscriptions"]["loader"]["dead_letter"].update(max_attempts=4),
            "subscriptions.loader.dead_letter.max_attempts: Input should be greater than or equal to 5",
        ),
        (
            lambda data: data["topics"]["feed-minutes"].update(retention_seconds=31 * 86_400 + 1),
            "topics.feed-minutes.retention_seconds: Input should be less than or equal to 2678400",
        ),
        (
            lambda data: data["subscriptions"]["loader"].update(never_expires=False),
            "subscriptions.loader.never_expires: Input should be True",
        ),
        (
            lambda data: data["subscriptions"]["loader"].update(labels="x"),
            "subscriptions.loader.labels: Extra inputs are not permitted",
        ),
        (
            lambda data: data["subscriptions"]["loader"].update(topic="minutes-lost"),
            "subscriptions.loader.topic: there is no topic 'minutes-lost'",
        ),
        (
            lambda data: data["subscriptions"]["loader"]["push"].update(service="unloader"),
            "subscriptions.loader.push.service: there is no service 'unloader'",
        ),
        (
            lambda data: data["subscriptions"]["loader"].pop("dead_letter"),
            "subscriptions.loader.dead_letter: missing; only the ledger of a dead-letter topic retries without end",
        ),
        (
            lambda data: data["subscriptions"]["loader"].pop("backoff"),
            "subscriptions.loader.backoff: missing; without it a failed push is repeated at once",
        ),
        (
            lambda data: data["subscriptions"].pop("feed-minutes-dead"),
            "subscriptions.downloader.dead_letter.topic: no pull subscription 'feed-minutes-dead' keeps its messages",
        ),
        (
            lambda data: data["subscriptions"].pop("feed-minutes-dead-ledger"),
            (
                "subscriptions.downloader.dead_letter.topic: no push subscription 'feed-minutes-dead-ledger'"
                " records its messages"
            ),
        ),
        (
            lambda data: data["schedules"]["plan"].update(service="planer"),
            "schedules.plan.service: there is no service 'planer'",
        ),
        (
            lambda data: data["schedules"]["plan"].update(cron="61 * * * *"),
            "schedules.plan.cron: is not a cron expression",
        ),
        (
            lambda data: data["services"]["merger"]["instances"].update(min=2),
            "services.merger.instances.min: is above instances.max",
        ),
        (
            lambda data: data["services"]["merger"].pop("source"),
            "services.merger.source: Field required",
        ),
        (
            lambda data: data["profiles"]["local"]["push_subscriptions"].update(ack_deadline_seconds=5),
            "profiles.local.push_subscriptions.ack_deadline_seconds: Input should be greater than or equal to 10",
        ),
    ],
)
def test_wrong_file_is_refused_with_place_and_reason(change: Change, line: str) -> None:
    """Every problem is one line with file, place and reason."""
    assert refusal(change) == [f"topology.yaml: {line}"]


def test_topic_ids_follow_pubsub() -> None:
    """Pub/Sub refuses names under three characters; the model does so before anything is created."""
    lines = refusal(lambda data: data["topics"].update(ab={"retention_seconds": 600}))
    assert len(lines) == 1
    assert lines[0].startswith("topology.yaml: topics.ab")


def test_all_problems_are_told_at_once() -> None:
    """All problems are reported at once."""

    def change(data: dict[str, Any]) -> None:
        data["subscriptions"]["loader"]["topic"] = "nowhere"
        data["schedules"]["merge"]["service"] = "nobody"

    assert refusal(change) == [
        "topology.yaml: subscriptions.loader.topic: there is no topic 'nowhere'",
        "topology.yaml: schedules.merge.service: there is no service 'nobody'",
    ]
