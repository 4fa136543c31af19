"""Real Terraform on a copy of the configuration: plans, and applies to the fake project."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.support import optional_tools
from tests.support.paths import REPOSITORY
from tests.terraform.cloud import Cloud
from tests.terraform.configuration import DEPLOY, TERRAFORM
from tests.terraform.provider import running_provider
from tests.terraform.schema import schema

PROJECT = "my-project"
IMAGE = "europe-west3-docker.pkg.dev/my-project/gti-mesh/gti-mesh:0.1.0"
_SECONDS = 500


class RefusedError(Exception):
    """Terraform refused the configuration or its variables; the text is Terraform's."""


@dataclass(frozen=True)
class Plan:
    """Everything that an apply into an empty project would create."""

    content: Mapping[str, Any]

    @cached_property
    def resources(self) -> list[Mapping[str, Any]]:
        """The planned resources: address, type, name, index and values."""
        (module,) = self.content["planned_values"]["root_module"]["child_modules"]
        return [one for one in module["resources"] if one["mode"] == "managed"]

    def all(self, kind: str, name: str | None = None) -> dict[str, Mapping[str, Any]]:
        """Return the values of all resources of a type (and name), by index or, without one, by name."""
        return {
            str(one.get("index", one["name"])): one["values"]
            for one in self.resources
            if one["type"] == kind and name in (None, one["name"])
        }

    def outputs(self) -> Mapping[str, Any]:
        """Return the outputs."""
        return {name: one.get("value") for name, one in self.content["planned_values"]["outputs"].items()}


@dataclass(frozen=True)
class Workspace:
    """A copy of module and root, without a developer's variables and state, and the project that it applies to.

    Terraform works in the root; the module is two folders up, as in the repository.
    """

    folder: Path
    environment: Mapping[str, str]
    cloud: Cloud

    def initialise(self) -> None:
        """Initialise Terraform; the providers are local, so nothing is downloaded."""
        self.run("init", "-no-color", "-backend=false", "-input=false")

    def plan(self, **variables: object) -> Plan:
        """Plan with these variables; raise RefusedError when Terraform refuses."""
        return self.plan_file(self._given(variables))

    def plan_file(self, file: Path) -> Plan:
        """Plan with the variables in a file."""
        self.run("plan", "-no-color", "-input=false", "-lock=false", "-out=plan", f"-var-file={file}")
        return Plan(json.loads(self.run("show", "-json", "plan")))

    def apply(self, *options: str, **variables: object) -> list[tuple[str, str, str]]:
        """Apply with these variables; return the changes in the cloud, without waits."""
        return self._done("apply", *options, f"-var-file={self._given(variables)}")

    def destroy(self, **variables: object) -> list[tuple[str, str, str]]:
        """Destroy everything in the state; return the changes in the cloud."""
        return self._done("destroy", f"-var-file={self._given(variables)}")

    def nothing_to_do(self, **variables: object) -> bool:
        """Return whether a plan with these variables is empty."""
        plan = self.plan(**variables)
        changes = [one["change"]["actions"] for one in plan.content.get("resource_changes", ())]
        return not [actions for actions in changes if actions not in (["no-op"], ["read"])]

    def validate(self) -> None:
        """Validate; raise RefusedError when Terraform refuses."""
        self.run("validate", "-no-color")

    def run(self, *arguments: str) -> str:
        """Run Terraform in the root; return its output, or raise RefusedError with it."""
        done = subprocess.run(  # noqa: S603 the command is ours
            [shutil.which("terraform") or "terraform", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            # `test -json` reports on its standard output.
            raise RefusedError(" ".join((done.stderr or done.stdout).replace("│", " ").split()))
        return done.stdout

    def _given(self, variables: Mapping[str, object]) -> Path:
        file = self.folder / "given.tfvars.json"
        file.write_text(json.dumps({"project_id": PROJECT, "image": IMAGE, **variables}), encoding="utf-8")
        return file

    def _done(self, *command: str) -> list[tuple[str, str, str]]:
        self.cloud.journal.clear()
        self.run(command[0], "-no-color", "-input=false", "-lock=false", "-auto-approve", *command[1:])
        return list(self.cloud.journal)


@contextmanager
def workspace(folder: Path, cloud: Cloud | None = None) -> Iterator[Workspace]:
    """Copy the configuration with the files that it reads, and the fake of the providers; skip without Terraform."""
    if shutil.which("terraform") is None:
        pytest.skip(optional_tools.TERRAFORM.reason)
    root = folder / "infra" / "terraform" / "deploy"
    root.mkdir(parents=True)
    for file in TERRAFORM.glob("*.tf"):
        shutil.copy(file, root.parent)
    for file in (*DEPLOY.glob("*.tf"), *DEPLOY.glob("*.example")):
        if file.name != "backend.tf":
            shutil.copy(file, root)
    for name in ("topology.yaml", "access.yaml"):
        shutil.copy(REPOSITORY / "infra" / name, root.parents[1])
    (folder / "shared").symlink_to(REPOSITORY / "shared")
    (folder / "rc").touch()
    cloud = cloud or Cloud()
    with running_provider(cloud) as address:
        made = Workspace(root, _environment(folder, address), cloud)
        made.initialise()
        yield made


def _environment(folder: Path, address: str) -> dict[str, str]:
    attached = {
        "Protocol": "grpc",
        "ProtocolVersion": 5,
        "Pid": os.getpid(),
        "Test": True,
        "Addr": {"Network": "tcp", "String": address},
    }
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "TF_CLI_CONFIG_FILE": str(folder / "rc"),
        "TF_DATA_DIR": str(folder / "data"),
        "TF_IN_AUTOMATION": "1",
        # It would ask for newer versions of itself.
        "CHECKPOINT_DISABLE": "1",
        "NO_PROXY": "127.0.0.1",
        "TF_REATTACH_PROVIDERS": json.dumps({f"hashicorp/{name}": attached for name in schema()["versions"]}),
    }
