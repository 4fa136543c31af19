"""Decode a package with lbzip2, which is faster than libbz2 on one processor and uses all processors.

It runs as a separate process with an empty environment; if it crashes, the package counts as damaged. It checks every
block and stream, but ignores what follows the last stream that it recognises; StreamValidator checks that.
"""

import os
import subprocess
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import IO, TypeAlias

from services.downloader.bzip2.libbz2 import STEP_BYTES, CorruptPackageError
from services.downloader.bzip2.stream_validator import StreamValidator

# A process that was killed ends at once; only one in uninterruptible sleep would not.
_END_SECONDS = 10.0

_Process: TypeAlias = "subprocess.Popen[bytes]"


def decompress_by(program: str, threads: int, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield the same bytes as libbz2.decompress; `program` is the path of lbzip2."""
    with _running([program, "-d", "-c", "-n", str(threads)], chunks) as (process, output, feeder):
        while piece := os.read(output.fileno(), STEP_BYTES):
            yield piece
        status = process.wait(_END_SECONDS)
        feeder.finish()
        if status or feeder.refused:
            raise CorruptPackageError(f"the package is truncated or damaged: {_complaint(process)}")


@contextmanager
def _running(command: list[str], chunks: Iterable[bytes]) -> Iterator[tuple[_Process, IO[bytes], "_Feeder"]]:
    pipe = subprocess.PIPE
    # lbzip2 would read options from the environment, and it must not see the API key.
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
    message = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
    return message.removeprefix("lbzip2: ") or f"lbzip2 ended before the package did, with {process.returncode}"


class _Feeder(Thread):
    """Feeds the compressed bytes; errors while reading them are raised to the reader of the decoded bytes.

    Only this thread closes the pipe: if another did, a write could go to a new file with the same descriptor.
    """

    def __init__(self, target: IO[bytes], chunks: Iterable[bytes]) -> None:
        super().__init__(name="lbzip2-feeder", daemon=True)
        self._target = target
        self._chunks = chunks
        self._failure: BaseException | None = None
        self.refused = False

    def run(self) -> None:
        validator = StreamValidator()
        try:
            with self._target:
                for chunk in self._chunks:
                    # lbzip2 would end at the first bytes that are not a stream, and the pipe would break.
                    self._write(validator.add(chunk))
            validator.end()
        except BrokenPipeError:
            self.refused = True
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that takes the decoded bytes
            self._failure = error

    def _write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[self._target.write(view) :]

    def finish(self) -> None:
        """Wait for the end; raise the error if there was one."""
        self.join()
        if self._failure:
            raise self._failure
