"""The wheel without a checkout and without pins: what `pip install 'gti-mesh[local]'` installs today works."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.optional_tools import INDEX
from tests.support.paths import REPOSITORY
from tests.support.waiting import PATIENCE, wait_until

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(1800)]
_INSTALL_SECONDS = 600


def run(*command: str | Path, folder: Path, seconds: float = 180) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder, without any checkout in the environment."""
    kept = ("PATH", "HOME", "PIP_CERT", "PIP_INDEX_URL", "https_proxy")
    given = {name: os.environ[name] for name in kept if name in os.environ}
    return subprocess.run(  # noqa: S603
        command, cwd=folder, env=given, capture_output=True, text=True, timeout=seconds, check=False
    )


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with its extra into an empty environment, and return the folder of its commands."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist", folder=REPOSITORY)
    assert built.returncode == 0, built.stderr
    [wheel] = (folder / "dist").glob("*.whl")
    assert run(sys.executable, "-m", "venv", folder / "venv", folder=folder).returncode == 0
    pip = (folder / "venv/bin/python", "-m", "pip")
    if run(*pip, "download", "--no-deps", "--quiet", "-d", folder, "typer", folder=folder).returncode:
        pytest.skip(INDEX.reason)
    done = run(*pip, "install", "--quiet", f"{wheel}[local]", folder=folder, seconds=_INSTALL_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    checked = run(*pip, "check", folder=folder)
    assert checked.returncode == 0, checked.stdout
    return folder / "venv/bin"


def test_the_demo_balances(binaries: Path, tmp_path: Path) -> None:
    """The demo balances in an empty folder, with only the wheel's dependencies."""
    done = run(binaries / "gti-mesh", "demo", "--minutes", "5", "--lines", "5", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything balances" in done.stdout


def test_up_serves_its_status_page_until_it_is_interrupted(binaries: Path, tmp_path: Path) -> None:
    """In an empty folder the status page answers, and Ctrl-C ends everything in order."""
    output = tmp_path / "output.txt"
    with output.open("wb") as stdout:
        command = [str(binaries / "gti-mesh"), "up", "--lines", "3"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=stdout, stderr=subprocess.STDOUT)  # noqa: S603
    try:
        wait_until(lambda: "Ctrl-C" in output.read_text() or process.poll() is not None, "the mesh to run")
        assert process.poll() is None, output.read_text()
        [page] = (line.split()[-1] for line in output.read_text().splitlines() if line.startswith("status page:"))
        assert "<html" in requests.get(page, timeout=PATIENCE).text
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 0
        assert "stopped; the state is kept" in output.read_text()
    finally:
        process.kill()
        process.wait()
