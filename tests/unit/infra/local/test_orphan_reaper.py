"""The process that cleans up after a killed mesh."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.orphan_reaper import OrphanReaper, end_groups, groups_left
from infra.local.process import ManagedProcess, ProcessFailed, ProcessSpec
from tests.support.waiting import PATIENCE, wait_until

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


def test_groups_left_are_those_started_and_not_ended() -> None:
    """The number of a group that has ended may be reused, so it gets no signal."""
    assert groups_left(["+10\n", "+11\n", "-10\n", "+12\n", "-99\n"]) == {11, 12}


def test_group_that_ignores_its_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ignores SIGTERM is killed."""
    monkeypatch.setattr("infra.local.orphan_reaper.GRACE_SECONDS", 0.2)
    command = [sys.executable, "-c", STUBBORN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as stubborn:  # noqa: S603 (this test's own)
        assert stubborn.stdout
        assert stubborn.stdout.readline() == b"up\n"
        end_groups([stubborn.pid])
        assert stubborn.wait(timeout=PATIENCE) == -9


def test_group_that_is_gone_already_is_no_error() -> None:
    """A group that no longer exists is ignored."""
    with subprocess.Popen(["true"], start_new_session=True) as gone:  # noqa: S607
        gone.wait(timeout=PATIENCE)
    end_groups([gone.pid])


def test_a_module_where_the_caller_stands_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mesh runs in a project with a package of the same name, and the reaper still works."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__init__.py").write_text("raise ImportError('another infra')")
    monkeypatch.chdir(tmp_path)
    reaper = OrphanReaper(tmp_path / "endpoints.json")
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as left:  # noqa: S607
        reaper.started(left.pid)
        reaper.close()
        assert left.wait(timeout=PATIENCE) == -15


def test_part_that_dies_tells_its_last_lines(tmp_path: Path) -> None:
    """The error has name, exit code and the end of the log, nothing else."""
    log = tmp_path / "logs" / "part.log"
    log.parent.mkdir()
    code = "for n in range(30): print('line', n)\nraise SystemExit(3)"
    reaper = OrphanReaper(tmp_path / "endpoints.json")
    process = ManagedProcess(ProcessSpec("part", (sys.executable, "-c", code), lambda: False), log, reaper)
    wait_until(lambda: process.exit_code() is not None, "the end of the part")
    with pytest.raises(ProcessFailed) as caught:
        process.check()
    reaper.close()
    first, *rest = str(caught.value).splitlines()
    assert first == f"part ended by itself with exit code 3; the end of {log}:"
    assert rest == [f"  line {number}" for number in range(20, 30)]
