"""Service start-up: settings immediately, clients at the first request."""

import logging
import sys
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from shared.contracts.outcomes import Misconfigured
from shared.runtime.logs import configure_logging
from shared.runtime.settings import MeshSettings, read_settings

S = TypeVar("S", bound=MeshSettings)
T = TypeVar("T")


def start(kind: type[S]) -> S:
    """Read a service's settings and configure its logs; a wrong setting ends the process with a one-line error."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        settings = read_settings(kind)
    except Misconfigured as error:
        sys.exit(str(error))
    configure_logging(project=settings.project, log_format=settings.log_format)
    logging.getLogger(__name__).info("service.start: %s", settings.model_dump_json())
    return settings


class Lazy(Generic[T]):
    """Builds a value once, at its first use; thread-safe.

    gunicorn imports an entry point before it forks, and gRPC clients do not survive a fork; so clients are built at a
    worker's first request. functools.cache does not lock: eight threads built eight clients.
    """

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = Lock()
        self._built: T | None = None

    def __call__(self) -> T:
        """Return the value, building it if necessary; a failed build is retried at the next call."""
        with self._lock:
            if self._built is None:
                self._built = self._build()
            return self._built
