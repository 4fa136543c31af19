"""Plans of the configuration: what real Terraform would make of it, without a cloud."""

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

from tests.terraform.configuration import TERRAFORM
from tests.terraform.provider import running_provider

ROOT = TERRAFORM.parents[1]
_SECONDS = 60


class RefusedError(Exception):
    """Terraform refused the configuration or its variables; the text is its own."""


@dataclass(frozen=True)
class Plan:
    """Everything that an apply into an empty project would make."""

    content: Mapping[str, Any]

    @cached_property
    def resources(self) -> list[Mapping[str, Any]]:
        """What is planned: address, type, name, index and values."""
        found: list[Mapping[str, Any]] = self.content["planned_values"]["root_module"]["resources"]
        return [one for one in found if one["mode"] == "managed"]

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
    """A copy of the configuration, away from a developer's own variables and state."""

    folder: Path
    environment: Mapping[str, str]

    def initialise(self) -> None:
        """Prepare for everything else; the provider is there already, so nothing is downloaded."""
        self._run("init", "-no-color", "-backend=false", "-input=false")

    def plan(self, **variables: object) -> Plan:
        """Plan with these variables; raise RefusedError when Terraform refuses."""
        given = {"project_id": "my-project", "image": "host/path/gti-mesh:0.1.0", **variables}
        file = self.folder / "given.tfvars.json"
        file.write_text(json.dumps(given), encoding="utf-8")
        return self.plan_file(file)

    def plan_file(self, file: Path) -> Plan:
        """Plan with the variables in a file."""
        self._run("plan", "-no-color", "-input=false", "-lock=false", "-out=plan", f"-var-file={file}")
        return Plan(json.loads(self._run("show", "-json", "plan")))

    def validate(self) -> None:
        """Validate; raise RefusedError when Terraform refuses."""
        self._run("validate", "-no-color")

    def _run(self, *arguments: str) -> str:
        command = [shutil.which("terraform") or "terraform", arguments[0], *_plain(arguments[0]), *arguments[1:]]
        done = subprocess.run(  # noqa: S603 the command is ours
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RefusedError(" ".join(f"{done.stdout}{done.stderr}".replace("│", " ").split()))
        return done.stdout


def _plain(command: str) -> list[str]:
    return ["-no-color"] if command != "init" else []


@contextmanager
def workspace(folder: Path) -> Iterator[Workspace]:
    """Lay out a copy of the configuration with what it reads, and the provider's double beside it."""
    copied = folder / "infra" / "terraform"
    copied.mkdir(parents=True)
    for file in (*TERRAFORM.glob("*.tf"), TERRAFORM / "access.yaml"):
        if file.name != "backend.tf":
            shutil.copy(file, copied)
    shutil.copy(ROOT / "infra" / "topology.yaml", copied.parent)
    (folder / "shared").symlink_to(ROOT / "shared")
    (folder / "rc").touch()
    with running_provider() as address:
        made = Workspace(copied, _environment(folder, address))
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
        "TF_REATTACH_PROVIDERS": json.dumps({"registry.terraform.io/hashicorp/google": attached}),
    }
