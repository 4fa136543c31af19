"""Run pip or uv, show their progress, and reduce the output of a failure to one line."""

import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from scripts.environment import Environment

# Patterns in the output of a failed installer, and their causes. The first match counts.
_NO_NETWORK = (
    r"(?i)name resolution|name or service not known|nodename nor servname|connection ?(error|refused|reset|broken)"
    r"|connect ?timeout|read ?timeout|timed out|proxy ?error|ssl ?error|certificate|dns error|unreachable"
    r"|tcp connect error|error sending request"
)
_CAUSES = {
    r"No space left on device|os error 28": "the disk is full: no space is left in {folder} or in {temporary}",
    r"Read-only file system|Permission denied": "{folder} cannot be written to",
    r"DO NOT MATCH THE HASHES|Hash mismatch": "the index has another file for {what} than the lock file",
    _NO_NETWORK: "{what} could not be fetched from the package index; is there a network, and does it need a proxy?",
    r"(?i)no matching distribution found|no usable wheels|no version of|not found in the package registry": (
        "the package index has no wheel of {what} for Python {python} on {machine}"
    ),
}
_FAILED_AT = re.compile(
    r"No matching distribution found for (\S+)|Failed to (?:fetch|download)\b.*/simple/([^/`\s]+)|Because (\S+) has no"
)


class RefusedError(Exception):
    """The set-up cannot continue; the text is the reason, in one line."""


@dataclass(frozen=True)
class Screen:
    """Progress output: one line that is overwritten on a terminal, a few lines elsewhere."""

    out: TextIO

    def say(self, text: str) -> None:
        """Write a line."""
        self._write(f"set-up: {text}", "\n")

    def follow(self, packages: int) -> Callable[[str], None]:
        """Return a function that reads pip's output line by line and shows its progress."""
        seen: list[str] = []

        def read(line: str) -> None:
            if line.startswith("Collecting "):
                seen.append(line.split()[1].partition("==")[0])
                self._step(len(seen), f"  {len(seen)} of {packages} packages: {seen[-1]}")
            elif line.startswith("Installing collected packages"):
                self._write("  all packages are fetched; installing them takes about as long", "\n")

        return read

    def _step(self, number: int, text: str) -> None:
        if self.out.isatty():
            self._write(text, "")
        elif number % 50 == 0:
            self._write(text, "\n")

    def _write(self, text: str, end: str) -> None:
        over = "\r\x1b[K" if self.out.isatty() else ""
        self.out.write(f"{over}{text}{end}")
        self.out.flush()


def packages_command(environment: Environment, uv: str | None) -> list[str]:
    """Return the command that installs exactly the packages of a lock file."""
    exactly = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(environment.lock)]
    return [*_installer(environment, uv), *exactly]


def mesh_command(environment: Environment, uv: str | None) -> list[str]:
    """Return the command that installs the checkout itself, with the build backend from the lock file."""
    return [*_installer(environment, uv), "--no-build-isolation", "--no-deps", "--editable", str(environment.root)]


def check_command(environment: Environment) -> list[str]:
    """Return the command that checks for missing and incompatible packages."""
    return [str(environment.python), "-I", "-m", "pip", "check"]


def _installer(environment: Environment, uv: str | None) -> list[str]:
    if uv:
        return [uv, "pip", "install", "--python", str(environment.python)]
    return [str(environment.python), "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off"]


def find_uv(folder: Path) -> str | None:
    """Return the path of uv, unless it is in the environment being set up."""
    uv = shutil.which("uv")
    return None if uv and Path(uv).is_relative_to(folder) else uv


def run(command: Sequence[str], folder: Path, given: Mapping[str, str], read: Callable[[str], None]) -> None:
    """Run a command; raise RefusedError with the cause, in one line, if it fails."""
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603
        command, env=given, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            read(line)
    if process.returncode:
        log = folder / "set-up.log"
        with suppress(OSError):
            log.write_text("".join(lines), encoding="utf-8")
        raise RefusedError(f"{explain(lines, folder)} (its output is in {log})")


def explain(lines: Sequence[str], folder: Path) -> str:
    """Return the cause of an installer's failure, in one line."""
    text = "".join(lines)
    collected = re.findall(r"^Collecting (\S+)", text, re.MULTILINE)
    failed = ["".join(found) for found in _FAILED_AT.findall(text)]
    facts = {
        "what": (failed or collected or ["a package"])[-1],
        "folder": folder,
        "temporary": tempfile.gettempdir(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    for pattern, meaning in _CAUSES.items():
        if re.search(pattern, text):
            return meaning.format(**facts)
    written = [line.strip() for line in lines if line.strip()] or ["it had no output"]
    errors = [line for line in written if "error" in line.lower()] or written
    return f"the installer failed: {errors[-1][:200]}"


def ignore(_line: str) -> None:
    """Ignore a line."""
