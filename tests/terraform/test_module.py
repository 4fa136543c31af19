"""`terraform test` on the module: what its own language says most simply, in infra/terraform/tests."""

import json
import shutil
from dataclasses import replace

import pytest

from tests.terraform.configuration import TERRAFORM
from tests.terraform.planned import Workspace

TESTS = sorted(file.name for file in (TERRAFORM / "tests").glob("*.tftest.hcl"))


@pytest.fixture(scope="session")
def module(configuration: Workspace) -> Workspace:
    """The module itself as a root, with its tests; the mocks take the schemas from the fake of the providers."""
    folder = configuration.folder.parent
    shutil.copytree(TERRAFORM / "tests", folder / "tests")
    data = {"TF_DATA_DIR": str(folder / "data")}
    made = replace(configuration, folder=folder, environment={**configuration.environment, **data})
    made.initialise()
    return made


@pytest.mark.parametrize("file", TESTS)
def test_the_module_passes_its_own_tests(module: Workspace, file: str) -> None:
    """Every run of the file passes; there is at least one."""
    lines = module.run("test", "-json", "-no-color", f"-filter=tests/{file}").splitlines()
    [summary] = [one["test_summary"] for one in map(json.loads, lines) if one["type"] == "test_summary"]
    assert (summary["status"], summary["failed"], summary["errored"], summary["skipped"]) == ("pass", 0, 0, 0)
    assert summary["passed"] > 0
