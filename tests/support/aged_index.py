"""A package index some time after the lock files were made: everything pinned has a newer release."""

import base64
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name
from packaging.version import Version

from infra.local.web import Answer, Request, html_answer
from tests.support.http_server import serving

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?: ; ([^\\\n]+?))? \\$", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """A line of a lock file."""

    name: str
    version: str
    marker: str | None

    def is_for(self, **machine: str) -> bool:
        """Return whether it is installed here, or on a machine with other values of a marker's variables."""
        return self.marker is None or Marker(self.marker).evaluate({**machine})


def pins(lock: Path) -> list[Pin]:
    """Return the lines of a lock file."""
    return [Pin(canonicalize_name(n), v, m or None) for n, v, m in _PIN.findall(lock.read_text(encoding="utf-8"))]


def next_release(version: str) -> str:
    """Return a newer version that satisfies every range that this one satisfies."""
    post = Version(version).post
    return f"{version}.post1" if post is None else version.replace(f"post{post}", f"post{post + 1}")


@dataclass
class AgedIndex:
    """Empty wheels with the requirements of the real ones, as far as those are installed here."""

    files: dict[str, bytes] = field(default_factory=dict)
    url: str = ""

    def add(self, name: str, version: str) -> bytes:
        """Publish a release and return its wheel."""
        try:
            real = metadata(name)
        except PackageNotFoundError:
            about = []
        else:
            keys = ("Requires-Dist", "Provides-Extra")
            about = [f"{key}: {value}" for key in keys for value in real.get_all(key) or ()]
        stem = f"{name.replace('-', '_')}-{version}"
        described = {
            "METADATA": "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *about, "", ""]),
            "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        data = _wheel({f"{stem}.dist-info/{part}": text.encode() for part, text in described.items()}, stem)
        self.files[f"{stem}-py3-none-any.whl"] = data
        return data

    def age(self, lock: Path, target: Path) -> None:
        """Publish every pin of a lock file with a newer release, and write the lock file with the new hashes."""
        lines = []
        for pin in pins(lock):
            self.add(pin.name, next_release(pin.version))
            digest = hashlib.sha256(self.add(pin.name, pin.version)).hexdigest()
            marker = f" ; {pin.marker}" if pin.marker else ""
            lines.append(f"{pin.name}=={pin.version}{marker} --hash=sha256:{digest}\n")
        target.write_text("".join(lines), encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """Return an environment in which pip and uv know only this index."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
        pip = {"PIP_INDEX_URL": self.url, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
        return {**kept, **pip, "UV_DEFAULT_INDEX": self.url, "UV_NO_CONFIG": "1", "UV_NO_CACHE": "1", "NO_PROXY": "*"}

    @contextmanager
    def serve(self) -> Iterator[None]:
        """Serve as an index on this machine (PEP 503)."""
        with serving(self._answer) as address:
            self.url = f"{address}/simple/"
            yield

    def _answer(self, request: Request) -> Answer:
        """Return a project's page or a file."""
        folder, name = request.path.strip("/").split("/")
        if folder == "files":
            return Answer(200, self.files[name], {"Content-Type": "application/octet-stream"})
        found = [file for file in self.files if canonicalize_name(file.partition("-")[0]) == name]
        links = "".join(f'<a href="/files/{file}">{file}</a>\n' for file in found)
        return html_answer(200, f"<body>{links}</body>")


def _wheel(files: Mapping[str, bytes], stem: str) -> bytes:
    record = f"{stem}.dist-info/RECORD"
    rows = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items()]
    # The same bytes at every run: the hash is part of a lock file.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in {**files, record: "".join([*rows, f"{record},,\n"]).encode()}.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
