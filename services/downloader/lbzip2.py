"""Decode a package with lbzip2, which is faster than libbz2 on one processor and uses as many as there are.

It runs as a process of its own, without this one's environment; a crash of it is a damaged package and no more. It
checks every block and every stream, but says nothing of what follows the last stream that it knows: Seams does.
"""

import os
import subprocess
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import IO, TypeAlias

from services.downloader.bzip2 import STEP_BYTES, CorruptPackageError
from services.downloader.seams import Seams

# A process that was killed ends at once; only one in uninterruptible sleep would not.
_END_SECONDS = 10.0

_Process: TypeAlias = "subprocess.Popen[bytes]"


def decompress_by(program: str, threads: int, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield what bzip2.decompress would; `program` is the path of lbzip2."""
    with _running([program, "-d", "-c", "-n", str(threads)], chunks) as (process, output, feeder):
        while piece := os.read(output.fileno(), STEP_BYTES):
            yield piece
        status = process.wait(_END_SECONDS)
        feeder.finish()
        if status or feeder.refused:
            raise CorruptPackageError(f"the package is cut or damaged: {_complaint(process)}")


@contextmanager
def _running(command: list[str], chunks: Iterable[bytes]) -> Iterator[tuple[_Process, IO[bytes], "_Feeder"]]:
    pipe = subprocess.PIPE
    # Options would come out of the environment, and the API key is none of its business.
    with subprocess.Popen(  # noqa: S603 - the program is what the operator installed
        command, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, pipesize=STEP_BYTES, env={}
    ) as process:
        source, process.stdin = process.stdin, None
        assert source  # noqa: S101 - for mypy: both were asked for
        assert process.stdout  # noqa: S101
        feeder = _Feeder(source, chunks)
        feeder.start()
        try:
            yield process, process.stdout, feeder
        finally:
            process.kill()


def _complaint(process: _Process) -> str:
    said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
    return said.removeprefix("lbzip2: ") or f"lbzip2 ended before the package did, with {process.returncode}"


class _Feeder(Thread):
    """Hands the compressed bytes on; keeps what their reading raises for whoever takes the decoded ones.

    It alone closes the pipe: another thread's closing could let a write go to a file that got the same number.
    """

    def __init__(self, target: IO[bytes], chunks: Iterable[bytes]) -> None:
        super().__init__(name="lbzip2-feeder", daemon=True)
        self._target = target
        self._chunks = chunks
        self._failure: BaseException | None = None
        self.refused = False

    def run(self) -> None:
        seams = Seams()
        try:
            with self._target:
                for chunk in self._chunks:
                    seams.add(chunk)
                    self._write(chunk)
            seams.end()
        except BrokenPipeError:
            self.refused = True
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that takes the decoded bytes
            self._failure = error

    def _write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[self._target.write(view) :]

    def finish(self) -> None:
        """Wait for the end, and raise what stood in its way."""
        self.join()
        if self._failure:
            raise self._failure
