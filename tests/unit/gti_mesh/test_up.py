"""`gti-mesh up` before anything starts."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gti_mesh.main import app


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_a_folder_is_emptied_only_after_a_yes(answer: str, tmp_path: Path) -> None:
    """Without a yes every file stays."""
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage/minute").write_text("kept", encoding="utf-8")
    done = CliRunner().invoke(app, ["up", "--fresh", "--state", str(tmp_path)], input=answer, env={"COLUMNS": "400"})
    assert done.exit_code == 1
    assert f"Empty {tmp_path}, with every minute in it?" in done.output
    assert (tmp_path / "storage/minute").read_text(encoding="utf-8") == "kept"
