"""The search for the API key in what a soak leaves finds it where it is."""

import gzip
from pathlib import Path

from tests.soak.secrets import find_key


def test_the_key_is_found_in_plain_and_in_compressed_files(tmp_path: Path) -> None:
    """Logs, objects and tables are files; a file that only begins like a compressed one is looked at as it is."""
    (tmp_path / "logs").mkdir()
    found = {tmp_path / "logs/planner.log", tmp_path / "object.gz", tmp_path / "broken.gz"}
    (tmp_path / "logs/planner.log").write_bytes(b"GET /feeds x-apikey: the-key\n")
    (tmp_path / "object.gz").write_bytes(gzip.compress(b"the-key"))
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b the-key")
    (tmp_path / "innocent.log").write_bytes(b"x-apikey: (sent)\n")
    assert set(find_key(tmp_path, b"the-key")) == found
