"""How a service starts: settings at once, clients at the first request."""

import logging
import sys
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from shared.logs import configure_logging
from shared.outcomes import Misconfigured
from shared.settings import MeshSettings, read_settings

S = TypeVar("S", bound=MeshSettings)
T = TypeVar("T")


def start(kind: type[S]) -> S:
    """Read a service's settings and configure its logs; a wrong setting ends the process with one clear line."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        settings = read_settings(kind)
    except Misconfigured as error:
        sys.exit(str(error))
    configure_logging(project=settings.project, log_format=settings.log_format)
    logging.getLogger(__name__).info("service.start: %s", settings.model_dump_json())
    return settings


class Once(Generic[T]):
    """Build something at its first use, once, however many threads ask.

    gunicorn imports an entry point before it forks, and gRPC clients do not survive a fork; so clients are built by
    the worker's first request. functools.cache is no lock: eight threads made eight clients.
    """

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = Lock()
        self._built: T | None = None

    def __call__(self) -> T:
        """Return the one thing, building it when it is not there yet; a failed build is tried again next time."""
        with self._lock:
            if self._built is None:
                self._built = self._build()
            return self._built
