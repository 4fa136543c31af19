"""Resources that the doctor makes for its checks, and removes at the end, also after Ctrl-C."""

from collections.abc import Callable
from contextlib import ExitStack
from secrets import token_hex
from types import TracebackType
from typing import Self

from google.api_core.exceptions import GoogleAPICallError

from shared.contracts.outcomes import MeshError


class Scratch:
    """Names of resources, and how each is removed.

    Attributes:
        name: for topics, subscriptions and objects, `gti-mesh-doctor-0123456789ab`.
        left: what could not be removed, one line each; known at the end.
    """

    def __init__(self) -> None:
        self.name = f"gti-mesh-doctor-{token_hex(6)}"
        self.left: list[str] = []
        self._undo = ExitStack()

    @property
    def dataset(self) -> str:
        """The name for a dataset, which may have no hyphens."""
        return self.name.replace("-", "_")

    def remove_later(self, what: str, remove: Callable[[], object]) -> None:
        """Note how to remove a resource; call it before the resource is made, so that no interruption leaves it."""
        self._undo.callback(self._remove, what, remove)

    def _remove(self, what: str, remove: Callable[[], object]) -> None:
        try:
            remove()
        except (MeshError, GoogleAPICallError, OSError) as error:
            self.left.append(f"{what}: {error}")

    def __enter__(self) -> Self:
        """Begin without any resource."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove everything, the newest first."""
        self._undo.close()
