"""The example in docs/secops.md that forwards without a tenant works as written."""

import os
import re
import subprocess
import sys
from pathlib import Path

from infra.local.tcp_ports import free_ports
from tests.support.paths import DOCS
from tests.support.waiting import PATIENCE

_PORTS = ("8601", "8602", "8603")


def example() -> str:
    """Return the commands of the page, with ports that are free on this machine."""
    page = (DOCS / "secops.md").read_text(encoding="utf-8")
    section = page.partition("## One process")[2].partition("\n## ")[0]
    [commands] = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    for port, free in zip(_PORTS, free_ports(len(_PORTS)), strict=True):
        assert port in commands
        commands = commands.replace(port, str(free))
    return str(commands)


def test_the_example_without_a_tenant_works_as_pasted(tmp_path: Path) -> None:
    """The first run delivers everything; the second sends only newer items."""
    environment = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(  # noqa: S603
        ["/bin/sh", "-euc", example()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0, (lines, done.stderr)
    assert lines[0] == "ioc_stream: the tenant has the log type GCP_THREATINTEL"
    counts = [re.findall(r"ioc_stream: (\d+) new notifications in \d+ pages, (\d+) accepted", line) for line in lines]
    [(first, first_accepted)], [(second, second_accepted)] = counts[1:3]
    assert (first, second) == (first_accepted, second_accepted)
    assert int(first) > 30 > int(second)
    assert lines[-1] == "no dead letters"
