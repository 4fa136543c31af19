"""The GitHub workflows run what `.ci/run` runs anywhere, with read-only rights."""

import re

import yaml

from tests.support.paths import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))


def test_ci_is_the_script_that_every_landing_must_pass() -> None:
    """They use the Pythons of Debian 12 and 13, and nothing exists only in the workflow."""
    job = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]["run"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.13"]


def test_workflows_may_only_read_and_take_actions_by_commit() -> None:
    """A tag can be moved to other code; the comment next to the commit names its release."""
    assert WORKFLOWS
    for file in WORKFLOWS:
        text = file.read_text(encoding="utf-8")
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
        uses = re.findall(r"uses: (.+)", text)
        assert uses
        assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one) for one in uses)


def test_a_report_of_a_fault_has_what_is_needed_to_find_it() -> None:
    """A bug report has the version, the status as JSON, and log lines."""
    form = yaml.safe_load((REPOSITORY / ".github/ISSUE_TEMPLATE/fault.yml").read_text(encoding="utf-8"))
    asked = {part["id"]: part["attributes"].get("description", "") for part in form["body"] if "id" in part}
    assert "gti-mesh --version" in asked["version"]
    assert "gti-mesh status --json" in asked["status"]
    assert "logs" in asked
