"""An HTTP server on this machine that answers as a test says."""

from collections.abc import Iterator
from contextlib import contextmanager

from infra.local.web import Respond, Server


@contextmanager
def serving(respond: Respond) -> Iterator[str]:
    """Serve on a free port until the block ends; yield the address, without a final slash."""
    server = Server(0, respond)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.stop()
