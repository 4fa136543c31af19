"""The whole root, applied to a project in which new resources become visible as late as in a real one."""

import re
from pathlib import Path

import pytest

from infra.topology import read_topology
from tests.support.paths import REPOSITORY
from tests.terraform.conftest import EVERYTHING
from tests.terraform.planned import IMAGE, RefusedError, Workspace, workspace

HERE = {"region": "europe-west3", "location": "EU"}
# What docs/deploy.md applies first.
FIRST = ("google_artifact_registry_repository.this", "google_secret_manager_secret.vt_api_key")


def first_apply(made: Workspace, **variables: object) -> None:
    """Follow docs/deploy.md: repository and secret, the image, everything else."""
    given = {**HERE, **variables}
    made.apply(*(f"-target=module.mesh.{one}" for one in FIRST), **given)
    made.cloud.push(IMAGE)
    made.apply(**given)


def test_the_first_apply_works_and_leaves_nothing_to_do(tmp_path: Path) -> None:
    """The first apply waits for newly enabled APIs, accounts and metrics, and a second has nothing to do."""
    with workspace(tmp_path) as made:
        first_apply(made)
        assert set(made.cloud.serving().values()) == {IMAGE}
        assert made.nothing_to_do(**HERE)


@pytest.mark.parametrize(
    ("wait", "refusal"),
    [
        ("apis", "it is disabled"),
        ("accounts", "does not exist"),
        ("metrics", "Cannot find metric"),
    ],
)
def test_without_a_wait_the_first_apply_is_refused(tmp_path: Path, wait: str, refusal: str) -> None:
    """Without a wait the first apply is refused, so the test above can fail."""
    with workspace(tmp_path) as made:
        for file in made.folder.parent.glob("*.tf"):
            text = file.read_text(encoding="utf-8")
            file.write_text(re.sub(rf'("time_sleep" "{wait}" {{\n.*?)"\d+s"', r'\1"0s"', text), encoding="utf-8")
        with pytest.raises(RefusedError, match=refusal):
            first_apply(made)


def test_an_apply_with_every_variable_works_and_leaves_nothing_to_do(tmp_path: Path) -> None:
    """Keys of one's own among them, which Google's agents may use only a while after they are granted."""
    given = {**EVERYTHING, "keys": keys("europe", "europe-west3")}
    with workspace(tmp_path) as made:
        first_apply(made, **given)
        assert made.nothing_to_do(**{**HERE, **given})
        assert made.cloud.one("google_billing_budget").values["amount"][0]["specified_amount"][0]["units"] == "500"


def keys(data: str, services: str) -> dict[str, str]:
    """Return two keys of Cloud KMS, by their locations."""
    name = "projects/my-project/locations/{}/keyRings/mesh/cryptoKeys/mesh"
    return {"data": name.format(data), "services": name.format(services)}


PAGE = (REPOSITORY / "docs/organisation-policies.md").read_text(encoding="utf-8")
# Each policy that the double enforces, with what the page has people set.
POLICIES: dict[str, dict[str, object]] = {
    "gcp.resourceLocations": {"secret_locations": ["europe-west3"]},
    "run.allowedIngress": {"status_page_ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"},
    "gcp.restrictNonCmekServices": {"keys": keys("europe", "europe-west3")},
}


@pytest.mark.parametrize("policy", POLICIES)
def test_an_apply_fits_each_policy_of_the_page(tmp_path: Path, policy: str) -> None:
    """Each policy refuses the apply without the variable that the page names, and accepts it with it."""
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| [`{policy}`]")]
    assert all(f"{name} = " in row for name in POLICIES[policy])
    with workspace(tmp_path) as made:
        made.cloud.policies.add(policy)
        with pytest.raises(RefusedError, match=f"constraints/{policy}"):
            first_apply(made)
        first_apply(made, **POLICIES[policy])
        assert set(made.cloud.serving().values()) == {IMAGE}


def test_two_meshes_live_in_one_project(tmp_path: Path) -> None:
    """With a prefix two meshes share a project: no name is taken, and the other mesh does not change."""
    with workspace(tmp_path / "one") as one:
        first_apply(one)
        before = {key: thing.values for key, thing in one.cloud.things.items()}
        with workspace(tmp_path / "two", one.cloud) as two:
            image = IMAGE.replace("/gti-mesh/", "/eu-gti-mesh/")
            two.apply(*(f"-target=module.mesh.{name}" for name in FIRST), **HERE, prefix="eu-", image=image)
            two.cloud.push(image)
            two.apply(**HERE, prefix="eu-", image=image)
        assert len(one.cloud.serving()) == 2 * len(read_topology().services)
        shared = {"google_project_service", "google_project_service_identity"}
        assert {key: one.cloud.things[key].values for key in before if key[0] not in shared} == {
            key: values for key, values in before.items() if key[0] not in shared
        }
        assert one.nothing_to_do(**HERE)
