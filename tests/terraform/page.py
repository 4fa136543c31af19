"""Code blocks of a page, run unchanged: bash and Terraform are real, and cloud commands are recorded.

Variables and folder carry over from block to block, as in a terminal. What `docker push` pushes and `gcloud services
enable` enables is in the fake project before the next command of its own block runs.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.terraform.planned import RefusedError, Workspace, workspace

_BLOCK = re.compile(r"^```\n(.*?)^```", re.DOTALL | re.MULTILINE)
_STUBBED = ("gcloud", "docker", "bq", "make", "gti-mesh")
# What is written into a pipe is read, or the writer would fail.
_STUB = """#!/bin/sh
case "$*" in *--data-file=-*) cat >/dev/null ;; esac
printf '%s' "$(basename "$0")" >> "$SEEN"
for word in "$@"; do printf '\\0%s' "$word" >> "$SEEN"; done
printf '\\n' >> "$SEEN"
"""
# Without the arguments of a backend, without questions, and without a hand in what is typed.
_TERRAFORM = """#!/bin/bash
given=() more=()
for word in "$@"; do
  case "$word" in
    -backend-config=*) continue ;;
    apply|destroy) more=(-auto-approve -input=false) ;;
    import) more=(-input=false) ;;
  esac
  given+=("$word")
done
options=() rest=()
for word in "${given[@]}"; do
  if [[ ${#rest[@]} = 0 && $word = -chdir=* ]]; then options+=("$word"); else rest+=("$word"); fi
done
exec "$TERRAFORM" "${options[@]}" "${rest[0]}" "${more[@]}" "${rest[@]:1}" </dev/null
"""


@dataclass
class Terminal:
    """A shell in a checkout, and the cloud commands that it ran."""

    workspace: Workspace
    variables: dict[str, str] = field(default_factory=dict)
    # Each command with its arguments.
    seen: list[list[str]] = field(default_factory=list)

    @property
    def checkout(self) -> Path:
        """The folder that commands start in."""
        return self.workspace.folder.parents[2]

    def prepare(self) -> None:
        """Install the fake cloud commands."""
        tools = self.checkout / "tools"
        tools.mkdir()
        for name in _STUBBED:
            _write(tools / name, _STUB)
        _write(tools / "terraform", _TERRAFORM)
        (self.checkout / ".venv/bin").mkdir(parents=True)
        _write(self.checkout / ".venv/bin/gti-mesh", _STUB)
        self.workspace.cloud.pushing = self._pushed

    def keep_state_here(self) -> None:
        """Keep the state next to the configuration, for any backend that the page copies."""
        local = 'terraform {\n  backend "local" {}\n}\n'
        (self.workspace.folder / "backend_override.tf").write_text(local, encoding="utf-8")

    @contextmanager
    def elsewhere(self, folder: Path) -> Iterator["Terminal"]:
        """Open a terminal on a copy of configuration, state and project, with the same variables."""
        with workspace(folder, self.workspace.cloud.copied()) as made:
            for name in ("terraform.tfstate", "production.tfvars"):
                shutil.copy(self.workspace.folder / name, made.folder)
            opened = Terminal(made, dict(self.variables))
            opened.prepare()
            yield opened

    def run(self, block: str, keys: str = "") -> str:
        """Run one block; return its output, or raise RefusedError when a command fails or a variable is not set."""
        seen, after = self.checkout / "seen", self.checkout / "after"
        seen.write_text("", encoding="utf-8")
        script = f"{block}\nenv -0 > {after}\n"
        done = subprocess.run(  # noqa: S603 the pages are ours
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            cwd=self.checkout,
            env=self._environment(seen),
            input=keys,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        if done.returncode:
            written = re.sub(r"\x1b\[\d+m|[│╷╵]", "", f"{done.stdout}{done.stderr}")
            raise RefusedError(" ".join(written.split())[-2000:])
        pairs = (line.partition("=") for line in after.read_text(encoding="utf-8").split("\0") if line)
        self.variables = {name: value for name, _, value in pairs}
        self.seen += self._commands()
        for image in self._pushed():
            self.workspace.cloud.push(image)
        return done.stdout

    def _environment(self, seen: Path) -> dict[str, str]:
        path = f"{self.checkout / 'tools'}:{os.environ['PATH']}"
        real = shutil.which("terraform") or "terraform"
        return {**self.variables, **self.workspace.environment, "PATH": path, "SEEN": str(seen), "TERRAFORM": real}

    def _commands(self) -> list[list[str]]:
        lines = (self.checkout / "seen").read_text(encoding="utf-8").splitlines()
        return [line.split("\0") for line in lines]

    def _pushed(self) -> list[str]:
        return [words[2] for words in self._commands() if words[:2] == ["docker", "push"]]


def blocks(page: str, heading: str) -> list[str]:
    """Return the code blocks of a section of a page."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = _BLOCK.findall(section)
    assert found, heading
    return found


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)
