"""docs/deploy.md, command by command: what a newcomer pastes leads to the first minute, and the ways back lead back."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.optional_tools import TERRAFORM
from tests.support.paths import REPOSITORY
from tests.terraform.cloud import SERVICE
from tests.terraform.page import Terminal, blocks
from tests.terraform.planned import RefusedError, workspace

HERE = "projects/my-project/locations/europe-west3"
APPLY = "terraform -chdir=infra/terraform/deploy apply -var-file=production.tfvars"
# What holds something that an apply could not bring back.
KEPT = {
    "google_bigquery_dataset",
    "google_pubsub_subscription",
    "google_pubsub_topic",
    "google_secret_manager_secret",
    "google_storage_bucket",
}
PAGE = (REPOSITORY / "docs/deploy.md").read_text(encoding="utf-8")
# Where every project may build: cloud.google.com/build/docs/locations, "Restricted regions for some projects".
BUILD_REGIONS = {"us-central1", "us-west2", "europe-west1", "asia-east1", "australia-southeast1", "southamerica-east1"}
SETTINGS = {
    "project_id": '"my-project"',
    "region": '"europe-west3"',
    "location": '"EU"',
    "image": '"europe-west3-docker.pkg.dev/my-project/gti-mesh/gti-mesh:0.1.0"',
    "feeds": '["domains"]',
    "operators": '["group:soc@example.org"]',
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal in which the page was followed to the first minute; the tests work on copies of it."""
    if shutil.which("terraform") is None:
        pytest.skip(TERRAFORM.reason)
    with workspace(tmp_path_factory.mktemp("deployed")) as made:
        opened = Terminal(made)
        opened.prepare()
        opened.keep_state_here()
        deploy(opened)
        yield opened


@pytest.fixture
def terminal(deployed: Terminal, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal on a mesh that is deployed, for one test."""
    with deployed.elsewhere(tmp_path) as opened:
        yield opened


def edit(terminal: Terminal, **changed: str) -> None:
    """Edit production.tfvars, as the page says in comments."""
    file = terminal.workspace.folder / "production.tfvars"
    values = {**SETTINGS, **changed}
    file.write_text("".join(f"{name} = {value}\n" for name, value in values.items()), encoding="utf-8")


def deploy(terminal: Terminal) -> None:
    """Follow the page to the first minute; the way with a container engine."""
    for block in blocks(PAGE, "To the first merged minute"):
        if "builds submit" not in block:
            terminal.run(block, keys="the key\n")
        if "cp production.tfvars.example" in block:
            edit(terminal)


def images(terminal: Terminal) -> set[str]:
    """Return what answers, without the repository."""
    return {image.rpartition(":")[2] for image in terminal.workspace.cloud.serving().values()}


def test_the_page_leads_from_nothing_to_the_first_minute(deployed: Terminal) -> None:
    """Each block runs as it stands, in order, with the variables that the blocks before it have set."""
    assert images(deployed) == {"0.1.0"}
    assert ["gcloud", "secrets", "versions", "add", "vt-api-key", "--data-file=-"] in deployed.seen
    environment = (deployed.checkout / ".env").read_text(encoding="utf-8").splitlines()
    assert {"GCP_PROJECT=my-project", "LANDING_BUCKET=my-project-gti-mesh-landing"} <= set(environment)
    assert deployed.seen[-1][:4] == ["gcloud", "run", "services", "proxy"]


def test_a_second_plan_is_empty(terminal: Terminal) -> None:
    """What Google answers is what was asked for, down to the positions of the dashboard."""
    assert "No changes." in terminal.run(APPLY.replace(" apply ", " plan "))


def test_an_upgrade_and_the_version_before_change_the_services_and_nothing_else(terminal: Terminal) -> None:
    """The job first, so that tables are there before the code that reads them; and back by its name."""
    cloud = terminal.workspace.cloud
    (upgrade,) = blocks(PAGE, "Upgrade")
    edit(terminal, image=SETTINGS["image"].replace("0.1.0", "0.2.0"))
    terminal.run(upgrade)
    assert images(terminal) == {"0.2.0"}
    assert cloud.journal[0] == ("update", "google_cloud_run_v2_job", f"{HERE}/jobs/provision")
    assert {kind for _, kind, _ in cloud.journal[1:]} == {SERVICE}
    rollback, _ = blocks(PAGE, "Roll back")
    terminal.run(rollback)
    assert images(terminal) == {"0.1.0"}


def test_a_pin_by_hand_ends_with_the_next_apply(terminal: Terminal) -> None:
    """If traffic was not declared it would stay for ever, and no later release get any; as a variable it is kept."""
    cloud = terminal.workspace.cloud
    _, by_hand = blocks(PAGE, "Roll back")
    terminal.run(by_hand)
    assert terminal.seen[-1][-2:] == ["--to-revisions", "REVISION=100"]
    cloud.update_traffic("downloader", "downloader-00001-abc")
    assert cloud.serving()["downloader"] == "downloader-00001-abc"
    terminal.run(APPLY)
    assert images(terminal) == {"0.1.0"}
    edit(terminal, traffic='{ downloader = { "downloader-00001-abc" = 100 } }')
    terminal.run(APPLY)
    assert cloud.serving()["downloader"] == "downloader-00001-abc"


def test_a_feed_is_switched_on_and_off_in_place(terminal: Terminal) -> None:
    """Only the services change: a replaced grant would be refused for minutes, and a replaced queue lose messages."""
    cloud = terminal.workspace.cloud
    for feeds in ('["domains", "files"]', "[]"):
        cloud.journal.clear()
        edit(terminal, feeds=feeds)
        terminal.run(APPLY)
        kinds = {SERVICE, "google_cloud_run_v2_job", "google_cloud_scheduler_job", "google_monitoring_alert_policy"}
        assert {change for change, _, _ in cloud.journal} == {"update"}
        assert {kind for _, kind, _ in cloud.journal} <= kinds
    assert all(thing.values["paused"] for _, thing in cloud.of("google_cloud_scheduler_job"))


def test_a_deleted_dataset_comes_back_with_its_grants(terminal: Terminal) -> None:
    """Which went with it, so that provisioning alone would be refused."""
    cloud = terminal.workspace.cloud
    before = cloud.one("google_bigquery_dataset").values["access"]
    cloud.delete("google_bigquery_dataset", "projects/my-project/datasets/vt_feeds")
    cloud.journal.clear()
    terminal.run(APPLY)
    assert cloud.one("google_bigquery_dataset").values["access"] == before
    assert cloud.journal == [("create", "google_bigquery_dataset", "projects/my-project/datasets/vt_feeds")]


def test_a_mesh_moves_to_another_region(terminal: Terminal) -> None:
    """Services, schedules and repository; bucket, dataset and queues stay."""
    cloud = terminal.workspace.cloud
    edit(terminal, deletion_protection="false")
    protect, _, move = blocks(PAGE, "Move to another region")[0].partition("# now set the new region and image\n")
    terminal.run(protect)
    image = SETTINGS["image"].replace("west3", "west1")
    edit(terminal, region='"europe-west1"', image=image, deletion_protection="false")
    cloud.journal.clear()
    terminal.run(move)
    assert {name.split("/")[3] for name, _ in cloud.of(SERVICE)} == {"europe-west1"}
    assert not KEPT & {kind for change, kind, _ in cloud.journal if change == "delete"}


def test_what_was_removed_comes_back_with_its_data(terminal: Terminal) -> None:
    """Bucket, dataset and secret stay when everything else is removed, and are imported instead of created."""
    cloud = terminal.workspace.cloud
    remove, back, _ = blocks(PAGE, "Remove")
    with pytest.raises(RefusedError, match="prevent_destroy"):
        terminal.run("terraform -chdir=infra/terraform/deploy destroy -var-file=production.tfvars")
    edit(terminal, deletion_protection="false")
    terminal.run(remove)
    cloud.delete_subscriptions(terminal.seen[-1][4:])
    left = {kind for kind, _ in cloud.things} - {"google_project_service", "google_project_service_identity"}
    assert left == {"google_bigquery_dataset", "google_secret_manager_secret", "google_storage_bucket"}
    cloud.images.clear()
    edit(terminal)
    terminal.run(back)
    cloud.journal.clear()
    for block in blocks(PAGE, "To the first merged minute")[3:]:
        if "builds submit" not in block:
            terminal.run(block, keys="the key\n")
    assert images(terminal) == {"0.1.0"}
    assert not [one for one in cloud.journal if one[0] == "create" and one[1] in left]


def test_cloud_build_has_an_account_and_a_region_of_its_own(terminal: Terminal) -> None:
    """The other way to an image: the account is made before the build that runs as it."""
    (way,) = [block for block in blocks(PAGE, "To the first merged minute") if "builds submit" in block]
    edit(terminal, cloud_build="true")
    terminal.run(way)
    words = terminal.seen[-1]
    account = words[words.index("--service-account") + 1]
    assert account in [name for name, _ in terminal.workspace.cloud.of("google_service_account")]
    assert words[words.index("--region") + 1] in BUILD_REGIONS
